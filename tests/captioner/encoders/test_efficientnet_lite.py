"""EfficientNet-Lite: it computes what the published weights stand for, and says in a line what is wrong."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from captioner.encoders import efficientnet_lite, registry, weights
from captioner.encoders.efficientnet_lite import Lite0Config, Lite2Config, blocks
from captioner.encoders.registry import EncoderParts, build, build_further, family, what_is_missing
from data.errors import RetroflexError
from tests.captioner.encoders import lite_reference
from tests.captioner.encoders.tiny_lite import TINY_HALVED, random_tensors, shrink
from tests.captioner.encoders.torch_writer import write_torch


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setattr(weights, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """The tensors of a network of the same family with three blocks."""
    shrink(monkeypatch)
    return random_tensors(Lite0Config())


def test_a_tiny_network_computes_what_its_tensors_say(tiny: dict[str, np.ndarray]) -> None:
    config = family("efficientnet_lite0").config(side=32)
    folded = efficientnet_lite.from_torch(config, tiny)
    picture = lite_reference.picture(config.side)
    encoded = build(config, EncoderParts(folded)).encode(picture)
    expected = lite_reference.grids(tiny, TINY_HALVED, picture)
    assert encoded.grids is not None
    assert encoded.grids.shape == (1, 8 * 8, config.channels)
    np.testing.assert_allclose(encoded.grids, expected, atol=2e-5)
    mean = expected.mean(axis=1)
    np.testing.assert_allclose(encoded.vectors, mean / np.linalg.norm(mean), atol=1e-5)


def test_weights_come_from_a_file_and_are_kept(
    tiny: dict[str, np.ndarray], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_torch(tmp_path / "tiny.pth", tiny)
    given = build_further("efficientnet_lite0", file)
    assert (cache / "encoders" / "efficientnet_lite0.safetensors").is_file()
    assert not what_is_missing(family("efficientnet_lite0"))
    monkeypatch.setattr(efficientnet_lite, "read_tensors", lambda _: pytest.fail("the file is read once"))
    again = build_further("efficientnet_lite0")
    assert given.model_version == again.model_version
    assert given.model_version.startswith("efficientnet_lite0-")


@pytest.mark.parametrize("config", [Lite0Config(), Lite2Config()], ids=lambda one: one.name)
def test_the_packaged_weights_give_the_recorded_logits(config: Lite0Config) -> None:
    if not find_spec(config.package):
        pytest.skip(f"the package {config.package} is not installed")
    picture, tensors = lite_reference.picture(config.side), lite_reference.packaged(config.name)
    grids = build_further(config.name).encode(picture).grids
    assert grids is not None
    assert grids.shape[1] == config.cells
    logits = grids[0].mean(axis=0) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    np.testing.assert_allclose(logits, np.load(lite_reference.RECORDED)[config.name], atol=3e-5)


def test_lite2_is_wider_and_deeper() -> None:
    lite0, lite2 = blocks(1.0, 1.0), blocks(1.1, 1.2)
    assert (len(lite0), len(lite2)) == (16, 21)
    assert (lite0[-1].outputs, lite2[-1].outputs) == (320, 352)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_a_missing_package_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda _: None)
    line = what_is_missing(family(name))
    assert "pip install '.[efficientnet]'" in line
    with pytest.raises(RetroflexError, match=r"pip install '\.\[efficientnet\]'") as refused:
        build_further(name)
    assert line in str(refused.value)


def test_weights_of_another_network_are_told_and_not_kept(
    tiny: dict[str, np.ndarray], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lite2Config, "width", 2.0)
    file = write_torch(tmp_path / "tiny.pth", tiny)
    with pytest.raises(
        RetroflexError, match="not have the weights of efficientnet_lite2: it seems to be for efficientnet_lite0"
    ):
        build_further("efficientnet_lite2", file)
    other = write_torch(tmp_path / "other.pth", {"conv.weight": tiny["_conv_stem.weight"]})
    with pytest.raises(RetroflexError, match="it is for another network"):
        build_further("efficientnet_lite0", other)
    assert not cache.exists()


def test_damaged_kept_weights_are_read_anew(tiny: dict[str, np.ndarray], tmp_path: Path, cache: Path) -> None:
    config = Lite0Config()
    first = registry.read_weights(config, write_torch(tmp_path / "tiny.pth", tiny))
    (cache / "encoders" / "efficientnet_lite0.safetensors").write_bytes(b"damaged")
    assert weights.load_kept(config.name) is None
    again = registry.read_weights(config, tmp_path / "tiny.pth")
    assert weights.weights_key(first) == weights.weights_key(again)
