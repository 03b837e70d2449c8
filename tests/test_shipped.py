"""The bundle that ships, on real photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioner.bundle import BUNDLED, load_bundle, load_search_model
from captioner.captioner import Captioner
from captioner.encoders.vgg16 import build_vgg16
from captioner.frameworks import best_precision
from captioner.types import Description
from data.pictures import decode, square
from data.samples import SAMPLES, copy_samples

LARGEST = 40 * 2**20


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("gallery")
    assert copy_samples(folder) == len(SAMPLES) >= 10
    return [folder / Path(sample.file).name for sample in SAMPLES]


def describe(gallery: list[Path], captioner: Captioner) -> list[Description]:
    side = captioner.input_side
    return captioner.describe(np.stack([square(decode(path.read_bytes()).image, side) for path in gallery]))


@pytest.fixture(scope="module")
def described(gallery: list[Path]) -> list[Description]:
    return describe(gallery, Captioner.load())


def test_is_small_and_whole() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < LARGEST
    assert load_bundle(BUNDLED).version.startswith("vgg16-lstm-")


def test_card_tells_data_figures_and_commands() -> None:
    card = (BUNDLED / "README.md").read_text()
    for part in ("retroflex train", "Flickr8k", "bleu4", "cider", "Limits"):
        assert part in card


@pytest.mark.parametrize(("typed", "met"), [("beaches", "beach"), ("two lakes", "two lake")])
def test_a_plural_it_never_met_means_the_same(typed: str, met: str) -> None:
    model = load_search_model(BUNDLED)
    assert model is not None
    np.testing.assert_array_equal(model.embedder.embed(typed.split()), model.embedder.embed(met.split()))
    assert model.embedder.known_share(typed.split()) == 1


def test_encoder_loads_into_plain_vgg16() -> None:
    bundle = load_bundle(BUNDLED)
    plain = build_vgg16(bundle.encoder, "float32")
    assert {"/".join(one.path.split("/")[-2:]) for one in plain.weights} == set(bundle.encoder_weights)


def test_captions_change_with_the_picture(described: list[Description]) -> None:
    best = [one.captions[0].text for one in described]
    assert len(set(best)) >= len(best) * 2 // 3
    assert all(3 <= len(text.split()) <= 18 for text in best)


def test_several_captions_a_picture(described: list[Description]) -> None:
    assert min(len(one.captions) for one in described) >= 3


def test_bfloat16_changes_vectors_and_captions_little(gallery: list[Path], described: list[Description]) -> None:
    if best_precision() == "float32":
        pytest.skip("this processor has no bfloat16")
    exact = describe(gallery, Captioner.load(precision="float32"))
    cosines = [
        float(one.vectors["vgg16"] @ other.vectors["vgg16"]) for one, other in zip(described, exact, strict=True)
    ]
    assert min(cosines) > 0.995
    same = sum(one.captions[0].text == other.captions[0].text for one, other in zip(described, exact, strict=True))
    assert same >= len(gallery) * 3 // 4


def test_a_picture_is_nearest_to_its_own_crop(gallery: list[Path], described: list[Description]) -> None:
    captioner, vectors = Captioner.load(), np.stack([one.vectors["vgg16"] for one in described])
    found = 0
    for row, path in enumerate(gallery):
        image = decode(path.read_bytes()).image
        crop = image.crop((image.width // 10, image.height // 10, image.width, image.height))
        vector = captioner.describe(square(crop, captioner.input_side)[None])[0].vectors["vgg16"]
        found += int(np.argmax(vectors @ vector)) == row
    assert found >= len(gallery) - 2
