"""A metric on disk, and the describer that uses it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioner.metric import (
    FILES,
    FOLDER,
    Metric,
    MetricDescriber,
    check_name,
    load_metric,
    metric_names,
    save_metric,
)
from captioner.pipeline import VectorDescriber
from data.errors import RetroflexError
from tests.tiny_encoder import MeanColour

RANDOM = np.random.default_rng(0)


def metric(source_version: str = MeanColour.model_version) -> Metric:
    centre, projection = RANDOM.normal(size=3).astype(np.float32), RANDOM.normal(size=(3, 2)).astype(np.float32)
    return Metric("near", MeanColour.name, source_version, centre, projection, {"epochs": 2})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = metric()
    save_metric(made, tmp_path)
    assert metric_names(tmp_path) == ["near"]
    loaded = load_metric(tmp_path, "near")
    assert loaded.model_version == made.model_version
    assert loaded.made_by == {"epochs": 2}
    vectors = RANDOM.normal(size=(4, 3))
    assert np.array_equal(loaded.project(vectors), made.project(vectors))
    assert np.allclose(np.linalg.norm(loaded.project(vectors), axis=1), 1)
    assert metric_names(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("file", "content"), [("json", b"{}"), ("json", b"no"), ("safetensors", b"no"), ("safetensors", None)]
)
def test_damage_is_one_line(tmp_path: Path, file: str, content: bytes | None) -> None:
    save_metric(metric(), tmp_path)
    if content is None:  # numbers of another metric
        save_metric(Metric("other", "vgg16", "x", np.ones(3, np.float32), np.ones((3, 2), np.float32)), tmp_path)
        content = (tmp_path / FOLDER / "other" / f"{FILES}.safetensors").read_bytes()
    (tmp_path / FOLDER / "near" / f"{FILES}.{file}").write_bytes(content)
    with pytest.raises(RetroflexError, match=r"the metric near is damaged.*train it again"):
        load_metric(tmp_path, "near")


def test_pictures_are_described_by_their_projections() -> None:
    pictures = RANDOM.integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
    made, source = metric(), VectorDescriber(MeanColour())
    described = MetricDescriber(made, source).describe(pictures)
    expected = made.project(MeanColour().encode(pictures).vectors)
    assert np.allclose([one.vectors["near"] for one in described], expected)
    assert not any(one.captioned for one in described)
    with pytest.raises(RetroflexError, match="is of mean_colour vectors by older, and this is mean-colour-1"):
        MetricDescriber(metric("older"), source)


@pytest.mark.parametrize(
    ("name", "message"), [("Near", "small letters"), ("../x", "small letters"), ("joint", "another")]
)
def test_names(name: str, message: str) -> None:
    assert check_name("near", ["joint"]) == "near"
    with pytest.raises(RetroflexError, match=message):
        check_name(name, ["joint"])
