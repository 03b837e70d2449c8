"""Networks of keras.applications: tiny random ones of each family, files of weights, and what is said without one."""

from __future__ import annotations

import urllib.error
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras.src.applications import efficientnet_v2, mobilenet_v2, mobilenet_v3, resnet
from keras.src.utils import file_utils
from safetensors.numpy import save_file

from captioner.encoders import keras_applications, weights
from captioner.encoders.keras_applications import ARCHITECTURES
from captioner.encoders.keras_network import named_weights
from captioner.encoders.registry import EncoderParts, build, build_further, family, what_is_missing
from data.errors import RetroflexError

SIDE = 32


def vgg(include_top: bool = True, weights: str | None = None, input_shape: Any = None) -> keras.Model:
    """A VGG19 of a few channels, with Keras' names."""
    inputs = x = keras.Input(input_shape or (SIDE, SIDE, 3))
    for block, convolutions in enumerate((2, 2, 4, 4, 4), 1):
        for number in range(1, convolutions + 1):
            x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    if include_top:
        x = layers.Dense(7, name="predictions")(layers.Flatten(name="flatten")(x))
    model = keras.Model(inputs, x)
    if weights:
        model.load_weights(weights)
    return model


def _residual(x: Any) -> Any:
    for number, stride in enumerate((1, 2, 2, 2), 2):
        x = resnet.stack_residual_blocks_v1(x, 2, 1, stride, name=f"conv{number}")
    return x


def _mobile(x: Any, kernel: int, activation: Any, ratio: float) -> Any:
    for number in range(4):
        x = mobilenet_v3._inverted_res_block(x, 2 if number else 1, 8, kernel, 2, ratio, activation, number)
    return x


def _mobile2(include_top: bool, weights: None, input_shape: Any) -> keras.Model:
    """A MobileNetV2 of four blocks."""
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False, name="Conv1")(inputs)
    for number in range(4):
        x = mobilenet_v2._inverted_res_block(x, 2, 2, 1.0, 8, number)
    return keras.Model(inputs, x)


BLOCKS = [
    dict(zip(("kernel_size", "num_repeat", "input_filters", "output_filters", "expand_ratio"), sizes, strict=True))
    | {"se_ratio": ratio, "strides": stride, "conv_type": kind}
    for sizes, ratio, stride, kind in (
        ((3, 1, 32, 8, 1), 0, 1, 1),
        ((3, 1, 8, 8, 2), 0, 2, 1),
        ((3, 1, 8, 8, 2), 0, 2, 1),
        ((3, 1, 8, 8, 2), 0.25, 2, 0),
        ((3, 1, 8, 8, 2), 0.25, 2, 0),
    )
]


def _efficient(name: str, of_weights: str) -> Callable[..., keras.Model]:
    return partial(
        efficientnet_v2.EfficientNetV2,
        0.25,
        1.0,
        SIDE,
        blocks_args=BLOCKS,
        name=name,
        weights_name=of_weights,
    )


def _residuals(name: str) -> Callable[..., keras.Model]:
    return partial(resnet.ResNet, _residual, False, True, name=name, weights_name=name)


def _mobiles(kind: str) -> Callable[..., keras.Model]:
    return partial(mobilenet_v3.MobileNetV3, _mobile, 16, model_type=kind)


TINY = {
    "vgg19": (vgg, 4, keras.applications.vgg19),
    "resnet50": (_residuals("resnet50"), 8, keras.applications.resnet),
    "resnet152": (_residuals("resnet152"), 8, keras.applications.resnet),
    "efficientnetv2_b0": (_efficient("efficientnetv2-b0", "b0"), 320, keras.applications.efficientnet_v2),
    "efficientnetv2_s": (_efficient("efficientnetv2-s", "-s"), 320, keras.applications.efficientnet_v2),
    "mobilenetv2": (_mobile2, 8, keras.applications.mobilenet_v2),
    "mobilenetv3_large": (_mobiles("large"), 48, keras.applications.mobilenet_v3),
    "mobilenetv3_small": (_mobiles("small"), 48, keras.applications.mobilenet_v3),
}
"""A tiny network of each family, its channels, and the module with Keras' own preprocessing."""
PICTURES = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny networks in place of the real ones, folders of the test's own, and no network."""
    for name, (make, channels, _) in TINY.items():
        monkeypatch.setattr(keras.applications, ARCHITECTURES[name].application, make)
        small = replace(ARCHITECTURES[name], side=SIDE, channels=channels)
        monkeypatch.setitem(keras_applications.ARCHITECTURES, name, small)
        keras_applications._register(name, small)
    monkeypatch.setattr(weights, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path / "keras"))
    monkeypatch.setattr(file_utils, "urlretrieve", _offline)
    (tmp_path / "keras").mkdir()


@pytest.fixture(autouse=True, scope="module")
def real_again() -> Any:
    real = dict(ARCHITECTURES)
    yield
    for name, architecture in real.items():
        keras_applications._register(name, architecture)


def _offline(*_: Any) -> None:
    raise urllib.error.URLError(OSError(-2, "Name or service not known"))


def trained(name: str, include_top: bool = False) -> keras.Model:
    """A network with random weights that matter: also its normalisation is not the identity."""
    random = np.random.default_rng(2)
    shape = None if include_top else (SIDE, SIDE, 3)
    model = TINY[name][0](include_top=include_top, weights=None, input_shape=shape)
    for variable in model.weights:
        low, high = (0.3, 1.5) if variable.name.endswith("variance") else (-0.6, 0.7)
        variable.assign(random.uniform(low, high, variable.shape))
    return model


def legacy(model: keras.Model, path: Path) -> Path:
    """Write weights by layers in order, as the files that Keras distributes have them."""
    with h5py.File(path, "w") as file:
        own = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in own]
        for layer in own:
            group, ordered = file.create_group(layer.name), [*layer.trainable_weights, *layer.non_trainable_weights]
            names = [f"{layer.name}/{one.name}:0" for one in ordered]
            group.attrs["weight_names"] = [one.encode() for one in names]
            for one, variable in zip(names, ordered, strict=True):
                group[one] = variable.numpy()
    return path


@pytest.mark.parametrize("name", TINY)
def test_each_network_gives_its_grid_and_mean_of_pictures_prepared_as_keras_does(name: str) -> None:
    _, channels, module = TINY[name]
    model, config = trained(name), family(name).config()
    encoder = build(config, EncoderParts(named_weights(model), model_version="v1"))
    expected = np.asarray(model.predict_on_batch(module.preprocess_input(PICTURES.astype(np.float32))))
    features = encoder.encode(PICTURES)
    assert features.grids is not None
    assert features.grids.shape == (2, config.cells, config.channels) == (2, 1, channels)
    np.testing.assert_allclose(features.grids, expected.reshape(2, 1, -1), rtol=1e-3, atol=1e-4)
    assert np.abs(features.grids).max() > 0
    mean = expected.mean(axis=(1, 2))
    np.testing.assert_allclose(features.vectors, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-4)
    assert (encoder.name, encoder.side, encoder.model_version) == (name, SIDE, "v1")


def test_every_kind_of_file_gives_the_same_encoder(tmp_path: Path) -> None:
    model = trained("resnet50")
    model.save_weights(tmp_path / "own.weights.h5")
    save_file(named_weights(model), tmp_path / "own.safetensors")
    files = [legacy(model, tmp_path / "own.h5"), tmp_path / "own.weights.h5", tmp_path / "own.safetensors"]
    versions = {build_further("resnet50", file).model_version for file in files}
    assert len(versions) == 1
    assert build_further("resnet50").model_version == versions.pop()  # kept, so that it need not be given again
    assert not what_is_missing(family("resnet50"))


def test_a_file_with_the_classifier_does_too(tmp_path: Path) -> None:
    model = trained("vgg19", include_top=True)
    cut = keras.Model(model.input, model.get_layer("block5_pool").output)
    whole, without = legacy(model, tmp_path / "whole.h5"), legacy(cut, tmp_path / "cut.h5")
    versions = {build_further("vgg19", file).model_version for file in (whole, without)}
    assert len(versions) == 1


def test_keras_own_file_is_used_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = family("resnet50")
    assert "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 into" in what_is_missing(one)
    folder = tmp_path / "keras" / "models"
    folder.mkdir()
    file = legacy(trained("resnet50"), folder / ARCHITECTURES["resnet50"].file)
    assert not what_is_missing(one)
    monkeypatch.setattr(file_utils, "validate_file", lambda *_, **__: True)  # the hash is that of the real weights
    assert build_further("resnet50").model_version == build_further("resnet50", file).model_version


@pytest.mark.parametrize("name", [name for name in TINY if name not in ("vgg19", "mobilenetv2")])
def test_offline_says_which_file_to_get_and_where_to_put_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RetroflexError) as refused:
        build_further(name)
    said = str(refused.value)
    file = ARCHITECTURES[name].file
    assert "download https://storage.googleapis.com/tensorflow/keras-applications/" in said
    assert f"/{file} and put it into {tmp_path / 'keras' / 'models'}" in said
    assert f"--weights {name}=FILE" in said
    assert "\n" not in said
    assert capsys.readouterr().out == ""  # standard output is for answers


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda path: legacy(trained("vgg19"), path),
            "does not have the weights of resnet50: it seems to be for vgg19",
        ),
        (lambda path: path.write_text("no weights") and path, "is no file of weights that Keras reads"),
    ],
)
def test_another_file_is_one_line_and_not_kept(make: Callable[[Path], Path], said: str, tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match=said) as refused:
        build_further("resnet50", make(tmp_path / "other.h5"))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "cache").exists()


def test_safetensors_of_another_network_or_damaged_are_one_line(tmp_path: Path) -> None:
    save_file(named_weights(trained("vgg19")), tmp_path / "other.safetensors")
    with pytest.raises(RetroflexError, match="weights of resnet50: it seems to be for vgg19"):
        build_further("resnet50", tmp_path / "other.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"damaged")
    with pytest.raises(RetroflexError, match="cannot be read"):
        build_further("resnet50", tmp_path / "damaged.safetensors")


def test_a_side_that_leaves_pixels_over_is_refused() -> None:
    with pytest.raises(RetroflexError, match="side of resnet50 must be a multiple of 32, not 100"):
        family("resnet50").config(side=100)
