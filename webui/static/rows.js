// Even last rows: a last row is as high as the row before it, or fills the line where little is missing.

import { $, $$ } from "./dom.js";

const NEARLY = 1.25;    // times that a last row may be higher than the one before it to fill the line

function even() {
  const grid = $("#grid");
  if (!grid) return;
  const tiles = $$(".hit", grid);
  for (const tile of tiles) tile.style.flex = "";
  const tops = tiles.map((tile) => tile.offsetTop);
  const ends = tiles.map((tile, at) => at).filter((at) => !tiles[at].nextElementSibling?.matches(".hit"));
  for (const end of ends) {
    const first = tops.indexOf(tops[end]);
    const before = tiles[first].previousElementSibling;
    if (!before?.matches(".hit")) continue;
    const height = before.firstElementChild.offsetHeight;
    const row = tiles.slice(first, end + 1);
    const ratios = row.map((tile) => Number(getComputedStyle(tile).getPropertyValue("--r")));
    const gaps = (row.length - 1) * parseFloat(getComputedStyle(grid).columnGap);
    const filled = (grid.clientWidth - gaps) / ratios.reduce((sum, one) => sum + one);
    const high = filled <= NEARLY * height ? filled - .01 : height;
    row.forEach((tile, at) => { tile.style.flex = `0 0 ${ratios[at] * high}px`; });
  }
}

even();
addEventListener("shown", even);
addEventListener("resize", even);
