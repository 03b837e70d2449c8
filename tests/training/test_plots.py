"""Curves from a training log."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import Image

from training.plots import LogError, plot_curves

LOG = "epoch,loss,val_loss,bleu1,bleu4,cider\n1,4.1,,30,5,0.1\n2,3.5,3.7,42,9.5,0.25\n3,3.2,nan,45,11,n/a\n"


def _ink(image: Image.Image) -> int:
    return sum(1 for pixel in image.convert("L").tobytes() if pixel < 200)


def test_draws_a_panel_for_each_kind_of_figure(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    plot_curves(tmp_path / "log.csv", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        width, height = image.size
        panels = [image.crop((part * width // 3, 0, (part + 1) * width // 3, height)) for part in range(3)]
        assert image.format == "PNG"
        assert width == pytest.approx(3 * 5 * 120)
        assert all(_ink(panel) > 1000 for panel in panels)
    assert {path.name for path in tmp_path.iterdir()} == {"log.csv", "curves.png"}


def test_columns_without_a_number_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("epoch,loss,note\n1,4.1,warm\n2,3.5,\n")
    plot_curves(tmp_path / "log.csv", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert math.isclose(image.width, 5 * 120)


def test_many_kinds_wrap_into_rows(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("epoch,loss,rate,bleu1,cider\n1,4.1,0.1,30,0.1\n2,3.5,0.2,42,0.2\n")
    plot_curves(tmp_path / "log.csv", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.width == pytest.approx(3 * 5 * 120)
        assert image.height == pytest.approx(2 * 3.4 * 120)


@pytest.mark.parametrize("text", [None, "", "epoch,loss\n", "step,loss\n1,2\n", "epoch\n1\n", "epoch,note\n1,x\n"])
def test_a_log_with_nothing_to_draw_is_one_line(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "log.csv").write_text(text)
    with pytest.raises(LogError, match="training log") as error:
        plot_curves(tmp_path / "log.csv", tmp_path / "curves.png")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "curves.png").exists()
