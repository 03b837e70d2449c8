"""The encoder is Keras' VGG16, whatever the weights' source and the precision."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from captioner.encoders.vgg16 import CONVOLUTIONS, FILE, KerasVGG16, VGG16Config, load_vgg16_weights, preprocess
from captioner.errors import BundleError
from data.errors import RetroflexError
from tests.conftest import random_vgg16

CONFIG = VGG16Config(side=32, layer="block5_conv3")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def keras_vgg16() -> keras.Model:
    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    weights = random_vgg16()
    for variable in model.weights:
        variable.assign(weights["/".join(variable.path.split("/")[-2:])])
    return model


def test_preprocess_equals_keras(pictures: np.ndarray) -> None:
    expected = keras.applications.vgg16.preprocess_input(pictures.astype(np.float32))
    np.testing.assert_allclose(preprocess(pictures), expected, atol=1e-4)


def test_grid_and_vector_equal_keras(pictures: np.ndarray, keras_vgg16: keras.Model) -> None:
    features = KerasVGG16(CONFIG, random_vgg16(), "float32").encode(pictures)
    cut = keras.Model(keras_vgg16.input, keras_vgg16.get_layer("block5_conv3").output)
    expected = cut.predict(keras.applications.vgg16.preprocess_input(pictures.astype(np.float32)), verbose=0)
    np.testing.assert_allclose(features.grids, expected.reshape(3, 4, 512), rtol=1e-3, atol=1e-3 * expected.max())
    np.testing.assert_allclose(np.linalg.norm(features.vectors, axis=1), 1, atol=1e-5)
    mean = expected.mean(axis=(1, 2))
    np.testing.assert_allclose(features.vectors, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-4)


def test_bfloat16_stays_close_to_float32(pictures: np.ndarray) -> None:
    exact = KerasVGG16(CONFIG, random_vgg16(), "float32").encode(pictures).vectors
    close = KerasVGG16(CONFIG, random_vgg16(), "mixed_bfloat16").encode(pictures).vectors
    assert np.sum(exact * close, axis=1).min() > 0.999


@pytest.mark.parametrize("name", ["vgg16.weights.h5", "vgg16.keras", "vgg16.h5"])
def test_loads_a_keras_file(tmp_path: Path, keras_vgg16: keras.Model, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".weights.h5"):
        keras_vgg16.save_weights(path)
    else:
        keras_vgg16.save(path)
    loaded = load_vgg16_weights(str(path))
    assert loaded.keys() == random_vgg16().keys()
    for layer, value in random_vgg16().items():
        np.testing.assert_array_equal(loaded[layer], value)


def test_imagenet_weights_come_from_keras(monkeypatch: pytest.MonkeyPatch, keras_vgg16: keras.Model) -> None:
    asked = {}

    def vgg16(**options: object) -> keras.Model:
        asked.update(options)
        return keras_vgg16

    monkeypatch.setattr(keras.applications, "VGG16", vgg16)
    assert load_vgg16_weights("imagenet").keys() == random_vgg16().keys()
    assert asked["weights"] == "imagenet"


def test_bad_weights_are_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "vgg16.weights.h5"
    broken.write_bytes(b"no HDF5")
    for source, reason in ((str(tmp_path / "none.h5"), "no such file"), (str(broken), "cannot be loaded")):
        with pytest.raises(RetroflexError, match=reason) as caught:
            load_vgg16_weights(source)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([*CONVOLUTIONS, "block5_conv4"], "it seems to be for vgg19"),
        (["conv1_conv", "conv4_block6_1_conv"], "it seems to be for resnet50"),
        (["conv1"], "it is for another network"),
    ],
)
def test_a_file_of_another_network_is_not_taken_for_this_one(tmp_path: Path, layers: list[str], said: str) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
    with pytest.raises(RetroflexError, match=f"not have the weights of vgg16: {said}"):
        load_vgg16_weights(str(tmp_path / "other.h5"))


def test_offline_says_what_to_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(**_: object) -> None:
        raise OSError(f"URL fetch failure on https://example.org/{FILE}: None -- offline")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    with pytest.raises(RetroflexError, match=rf"download https://example\.org/{FILE} and put it into .*models"):
        load_vgg16_weights("imagenet")


def test_missing_weight_is_named() -> None:
    weights = random_vgg16()
    del weights["block4_conv2/bias"]
    with pytest.raises(BundleError, match="block4_conv2/bias should have shape"):
        KerasVGG16(CONFIG, weights, "float32")
