"""Encoders are found by name, and a new one needs no change of another file."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.encoders.registry import EncoderParts, Family, build, build_further, family, register, unregister
from captioner.encoders.vgg16 import VGG16Config
from data.errors import RetroflexError
from tests.conftest import random_vgg16
from tests.tiny_encoder import MeanColour, mean_colour


def test_vgg16_is_found_by_name() -> None:
    config = family("vgg16").config(side=32)
    assert config == VGG16Config(side=32)
    encoder = build(config, EncoderParts(random_vgg16(), precision="float32", model_version="v1"))
    assert (encoder.name, encoder.side, encoder.model_version) == ("vgg16", 32, "v1")
    features = encoder.encode(np.zeros((2, 32, 32, 3), np.uint8))
    assert features.grids is not None
    assert features.grids.shape == (2, config.cells, config.channels)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(RetroflexError, match="no encoder is called 'resnet5'; did you mean resnet50"):
        family("resnet5")
    with pytest.raises(RetroflexError, match=r"no encoder is called .zzz.; there are .*vgg16"):
        family("zzz")


def test_a_registered_encoder_is_built_until_it_is_removed() -> None:
    with mean_colour():
        encoder = build_further(MeanColour.name)
        vectors = encoder.encode(np.full((1, encoder.side, encoder.side, 3), (200, 10, 10), np.uint8)).vectors
        assert vectors.argmax() == 0
    with pytest.raises(RetroflexError, match="no encoder is called 'mean_colour'"):
        family(MeanColour.name)


@pytest.mark.parametrize("name", ["alike", "joint", "cells", "", "../x", "Caps", "a" * 40])
def test_a_name_that_no_store_could_keep_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        register(Family(name, VGG16Config, lambda *_: MeanColour()))
    unregister(name)
