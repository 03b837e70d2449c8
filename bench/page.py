"""What a person notices of the page's speed: `python -m bench.page`, with `--minutes 10` also a run on a slow line.

In Chromium on the sample gallery: when the first hits are painted after the answer, how long typing blocks the page,
how much it shifts, and on a line of 400 kbit/s and 600 ms how long the first page takes. `--lighthouse COMMAND` adds
the scores of Lighthouse, as of `npx lighthouse@12.2.3`. Needs the demo and dev extras, and chromium and
chromium-driver of Debian.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from bench.screenshots import browser, site

SIZES = {"phone": (360, 780), "desk": (1440, 900)}
VIEWS = {
    "start": "",
    "hits": "?q=a+man+on+a+motorcycle&all=true",
    "why": "?q=a+man+on+a+motorcycle&all=true&why=true",
    "picture": "picture/1",
    "library": "library",
    "copies": "duplicates?kind=near",
    "people": "people",
    "places": "places",
    "sketch": "sketch",
}
TYPED = "a man standing in front of a building"
SEARCHES = ("a dog", "a red flower", "people on a street", "a cat on a sofa", "a rocket", "water")
TRIES = 6
"""Lighthouse now and then misses the beginning of a page, and says to run it again."""
LATENCY_MS, BITS_A_SECOND = 600, 400_000

# Kept for as long as the page lives: long tasks, shifts without input, and when each answer came and was painted.
WATCH = """
window.watched = { blocked: [0], shift: 0, painted: [] };
new PerformanceObserver((list) => watched.blocked.push(...list.getEntries().map((one) => one.duration)))
  .observe({ type: "longtask", buffered: true });
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) watched.shift += one.value;
}).observe({ type: "layout-shift", buffered: true });
const fetched = window.fetch;
window.fetch = async (address, ...rest) => {
  const answer = await fetched(address, ...rest);
  const hits = !String(address).includes("/api/");
  const text = answer.text.bind(answer);
  answer.text = async () => {
    const content = await text();
    if (hits) watched.came = performance.now();
    return content;
  };
  return answer;
};
addEventListener("shown", () => {
  const came = watched.came;
  requestAnimationFrame(() => setTimeout(() => watched.painted.push(performance.now() - came)));
});
"""


class Felt(NamedTuple):
    """What was noticed: milliseconds from answer to paint and of tasks, and the sum of shifts."""

    painted: list[float]
    blocked: float
    shift: float


def watch(driver: WebDriver) -> None:
    """Watch every page that is opened from now on."""
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})


def resize(driver: WebDriver, size: tuple[int, int]) -> None:
    """Make the window so many pixels wide and high; a narrow one is a phone."""
    phone = size[0] < 600
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def felt(driver: WebDriver) -> Felt:
    """Return what was noticed on the present page."""
    seen: dict[str, Any] = driver.execute_script("return window.watched")
    return Felt(seen["painted"], max(seen["blocked"]), seen["shift"])


def wait(driver: WebDriver, condition: Callable[[], object], seconds: float = 60) -> None:
    """Return once the condition holds."""
    WebDriverWait(driver, seconds, 0.02).until(lambda _: condition())


def titled(driver: WebDriver, words: str) -> None:
    """Return once the page shows what was found for `words`."""
    wait(driver, lambda: driver.title.startswith(words))


def typing(driver: WebDriver, address: str) -> Felt:
    """Type a query letter by letter, with a rest after each word, and return what is felt."""
    driver.get(address)
    time.sleep(0.5)
    driver.execute_script("watched.blocked = [0]")  # what loading a page took is no part of typing
    field = driver.find_element(By.CSS_SELECTOR, "input[name=q]")
    for letter in TYPED:
        field.send_keys(letter)
        time.sleep(0.4 if letter == " " else 0.06)
    titled(driver, TYPED)
    time.sleep(0.3)
    return felt(driver)


def searching(driver: WebDriver, address: str) -> Felt:
    """Send queries one after the other and return what is felt."""
    driver.get(address)
    for words in SEARCHES:
        field = driver.find_element(By.CSS_SELECTOR, "input[name=q]")
        field.clear()
        field.send_keys(words + Keys.ENTER)
        titled(driver, words)
        time.sleep(0.2)
    return felt(driver)


def shifts(driver: WebDriver, address: str) -> dict[str, float]:
    """Return how much each view shifts while it is loaded, by name."""
    moved = {}
    for name, view in VIEWS.items():
        driver.get(address + view)
        wait(driver, lambda: driver.execute_script("return document.readyState") == "complete")
        time.sleep(0.3)
        moved[name] = felt(driver).shift
    return moved


def slow_line(driver: WebDriver) -> None:
    """Let no more through than a poor mobile connection does; what a service worker fetches would not be slowed."""
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setBypassServiceWorker", {"bypass": True})
    rate = BITS_A_SECOND / 8
    line = {"offline": False, "latency": LATENCY_MS, "downloadThroughput": rate, "uploadThroughput": rate}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", line)


def first_page(driver: WebDriver, address: str, cold: bool) -> tuple[float, float]:
    """Return the seconds until a page of hits can be read, and until its pictures are there too.

    With `cold` the browser has nothing of it cached.
    """
    if cold:
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        clear = "return caches.keys().then((all) => Promise.all(all.map((one) => caches.delete(one))))"
        driver.execute_script(clear)
    driver.get("about:blank")
    driver.get(address + VIEWS["hits"])
    paints = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    wait(driver, lambda: driver.execute_script(paints))
    paint = float(driver.execute_script(paints))
    loaded = driver.execute_script("return performance.getEntriesByType('navigation')[0].domComplete")
    return paint / 1000, loaded / 1000


def on_a_slow_line(driver: WebDriver, address: str, minutes: float) -> list[float]:
    """Search, open pictures and go back for `minutes`; return the seconds of each search. A failure raises."""
    driver.get(address)
    taken, end, number = [], time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        words = f"{SEARCHES[number % len(SEARCHES)]} {number}"
        field = driver.find_element(By.CSS_SELECTOR, "input[name=q]")
        field.clear()
        begun = time.monotonic()
        field.send_keys(words + Keys.ENTER)
        titled(driver, words)
        taken.append(time.monotonic() - begun)
        if driver.find_elements(By.CSS_SELECTOR, ".hit > a"):
            driver.execute_script("document.querySelector('.hit > a').click()")
            wait(driver, lambda: driver.find_elements(By.CSS_SELECTOR, "#viewer h1"))
            driver.back()
            wait(driver, lambda: not driver.execute_script("return document.querySelector('#viewer').open"))
        assert not driver.find_elements(By.CSS_SELECTOR, ".alert"), "the page complains"
        number += 1
    return taken


def lighthouse(command: str, address: str) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Yield view, size and the scores in percent of each."""
    with tempfile.TemporaryDirectory(prefix="lighthouse") as folder:
        for size in SIZES:
            form = ["--preset=desktop"] if size == "desk" else []
            for name, view in VIEWS.items():
                yield name, size, scores([*shlex.split(command), address + view, *form], Path(folder) / "said.json")


def scores(command: list[str], out: Path) -> dict[str, int]:
    """Run Lighthouse on one page and return its scores in percent."""
    flags = "--chrome-flags=--headless=new --no-sandbox --disable-gpu"
    run = [*command, "--output=json", f"--output-path={out}", "--quiet", flags]
    for _ in range(TRIES):
        environment = {**os.environ, "CHROME_PATH": shutil.which("chromium") or ""}
        if subprocess.run(run, env=environment, capture_output=True, check=False).returncode == 0:
            break
    categories = json.loads(out.read_text())["categories"]
    return {one["title"]: round(100 * (one["score"] or 0)) for one in categories.values()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0, help="minutes on the slow line")
    parser.add_argument("--lighthouse", default="", help="the command that runs Lighthouse")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="retroflex") as folder, site(Path(folder)) as address:
        with browser() as driver:
            watch(driver)
            for name, size in SIZES.items():
                resize(driver, size)
                report(name, typing(driver, address), searching(driver, address), shifts(driver, address))
            slow_line(driver)
            for cached, cold in (("nothing", True), ("the page's files", False)):
                paint, loaded = first_page(driver, address, cold)
                print(f"slow line, {cached} cached: read after {paint:.2f} s, with pictures after {loaded:.2f} s")
            if asked.minutes:
                taken = on_a_slow_line(driver, address, asked.minutes)
                print(
                    f"slow line: {len(taken)} searches in {asked.minutes:g} minutes, median "
                    f"{statistics.median(taken):.2f} s, slowest {max(taken):.2f} s"
                )
        if asked.lighthouse:
            for view, window, found in lighthouse(asked.lighthouse, address):
                print(
                    f"{view}, {window}: {', '.join(f'{title} {score}' for title, score in found.items())}", flush=True
                )


def report(size: str, typed: Felt, searched: Felt, moved: dict[str, float]) -> None:
    """Print what was measured in a window of one size."""
    painted = typed.painted + searched.painted
    print(
        f"{size}: hits painted {statistics.median(painted):.0f} ms after the answer, at most {max(painted):.0f} ms; "
        f"typing blocks for at most {typed.blocked:.0f} ms; shifts: {max(*moved.values(), typed.shift):.3f}"
    )


if __name__ == "__main__":
    main()
