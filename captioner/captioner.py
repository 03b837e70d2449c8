"""The captioner as the rest of the product uses it: pictures in, descriptions out."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from threadpoolctl import threadpool_limits

from captioner.arithmetic import Arithmetic, BFloat16, Exact
from captioner.beam import Hypotheses, beam_search, best_first, sentence_logprob
from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.calibration import Calibration
from captioner.cells import pack_cells
from captioner.decoder import Decoder, Ensemble
from captioner.embedding import CaptionEmbedder, PictureEmbedder
from captioner.encoders.base import Encoder, Features
from captioner.encoders.registry import EncoderParts, build
from captioner.frameworks import Precision, best_precision
from captioner.pipeline import GROUP
from captioner.types import ALIKE, CELLS, JOINT, Caption, Description, SearchModel
from data.heap import return_freed
from data.text import tokenize

EXACT_AT_ONCE = 16
"""Pictures that are captioned at once in exact products; 32 take 20 MB more, and each 4 % less time."""


class _SecondHalf:
    """What makes captions and vectors of grids; products are `rounded` to bfloat16, or exact."""

    def __init__(self, bundle: Bundle, rounded: bool) -> None:
        self.rounded = rounded
        arithmetic: Arithmetic = BFloat16() if rounded else Exact()
        weights = (bundle.decoder_weights, *bundle.further_decoders)
        members = [Decoder(bundle.decoder, member, arithmetic) for member in weights]
        self.decoder = members[0] if len(members) == 1 else Ensemble(members)
        shared = bundle.embedding
        self.embedder = PictureEmbedder(shared.config, shared.weights, arithmetic) if shared else None


class Captioner:
    """One encoder and one decoder in memory. Methods may be called from several threads.

    A deep-learning framework is loaded when an encoder needs one.
    """

    def __init__(self, bundle: Bundle, precision: Precision | None = None) -> None:
        """`precision` is the encoder's, by default the fastest."""
        # Encoder and decoder run in threads side by side; further BLAS threads would only slow them down.
        threadpool_limits(1, user_api="blas")
        self.model_version = bundle.version
        self.input_side = bundle.encoder.side
        self._search = bundle.search
        self._vocabulary = bundle.vocabulary
        # Once the encoder is built from its parts, nobody needs them in float32.
        self._bundle = replace(bundle, encoder_weights={})
        self._parts: EncoderParts | None = replace(bundle.encoder_parts, precision=precision)
        self._precision = precision or best_precision()
        self._loading = Lock()
        self._choosing = Lock()
        # One piece at a time: each takes some 50 MB, and the encoder has work for the other processors.
        self._captioning = Lock()
        self._second_half: _SecondHalf | None = None

    @property
    def step(self) -> int | None:
        """That of the encoder, see `captioner.pipeline.PictureEncoder`."""
        with self._loading:
            return getattr(self._encoder, "step", None)

    @property
    def group(self) -> int:
        """Pictures to caption at once, see `captioner.pipeline.regroup`; known once the encoder is loaded.

        In bfloat16, 128 took a third less processor time each than 32 (3.5 instead of 5.4 ms); exact products gain
        little from many at once, and grids take memory.
        """
        return GROUP if self._may_round else EXACT_AT_ONCE

    @property
    def _may_round(self) -> bool:
        """Whether products may be in bfloat16: only where the encoder has loaded TensorFlow.

        To load it for captions alone takes half a gigabyte and some seconds, and saves 3 % of the time of indexing.
        """
        return self._precision != "float32" and "tensorflow" in sys.modules

    @classmethod
    def load(cls, bundle: Path | None = None, precision: Precision | None = None) -> Captioner:
        """Load a bundle, by default the one that ships with Retroflex. Raises BundleError."""
        return cls(load_bundle(bundle or BUNDLED), precision)

    @cached_property
    def search_model(self) -> SearchModel:
        """The part of the captioner that search needs."""
        return self._bundle.search_model

    @property
    def calibration(self) -> Calibration:
        return self._bundle.calibration

    @property
    def kinds(self) -> list[str]:
        """The kinds of its vectors, the encoder's first."""
        own = self._bundle
        return [own.encoder.name, *([ALIKE] if own.alike else []), *([JOINT] if own.embedding else [])]

    def warm_up(self) -> Captioner:
        """Describe a blank picture, so that everything is loaded before the first real one; return self."""
        self.describe(np.zeros((1, self.input_side, self.input_side, 3), np.uint8))
        return self

    def describe(self, pictures: np.ndarray, count: int | None = None) -> list[Description]:
        """Describe uint8 RGB pictures (n, input_side, input_side, 3), `count` captions each (default: all found)."""
        return self.caption(self.encode(pictures), count)

    def encode(self, pictures: np.ndarray) -> Features:
        """Run the first half of `describe`: one forward pass of the encoder."""
        with self._loading:
            encoder = self._encoder
        return encoder.encode(pictures)

    def caption(self, features: Features, count: int | None = None) -> list[Description]:
        """Run the second half of `describe`: distinct captions, best first, for encoded pictures."""
        grids, vectors = features.grids, features.vectors
        assert grids is not None
        half = self._half(len(grids))
        size = max(1, len(grids) if half.rounded else EXACT_AT_ONCE)
        described = list[Description]()
        for start in range(0, len(grids), size):
            piece = slice(start, start + size)
            with self._captioning:
                described += self._captioned(half, grids[piece], vectors[piece], count)
        return described

    def _captioned(
        self, half: _SecondHalf, grids: np.ndarray, encoded: np.ndarray, count: int | None
    ) -> list[Description]:
        settings = self._search
        prepared, state = half.decoder.prepare(grids)
        hypotheses = beam_search(
            half.decoder, prepared, state, settings.beam, settings.length_power, settings.groups, settings.diversity
        )
        vectors = {self._bundle.encoder.name: encoded}
        if self._bundle.alike:
            vectors[ALIKE] = self._bundle.alike(grids)
        if half.embedder:
            vectors[JOINT] = half.embedder.embed(grids)
            hypotheses = self._in_order(hypotheses, vectors[JOINT])
        described = zip(hypotheses.words, hypotheses.logprob, pack_cells(prepared.cells), strict=True)
        return [
            Description(
                self._distinct(words, logprob)[:count],
                {kind: values[row] for kind, values in vectors.items()},
                {CELLS: cells},
            )
            for row, (words, logprob, cells) in enumerate(described)
        ]

    def _in_order(self, hypotheses: Hypotheses, pictures: np.ndarray) -> Hypotheses:
        """Order captions by probability and by the cosine to their `pictures`, vectors (n, e)."""
        weight = self._search.nearness
        if not weight:
            return hypotheses
        bonus = weight * self._caption_embedder.cosines(hypotheses.words, pictures)
        return best_first(*hypotheses, self._search.length_power, bonus)

    def score(self, sentence: str, picture: np.ndarray) -> float:
        """Return log P(sentence | picture), natural logarithm, for one uint8 picture (input_side, input_side, 3)."""
        grids = self.encode(picture[None]).grids
        assert grids is not None
        return float(sentence_logprob(self._half(1).decoder, grids, self._vocabulary.encode(tokenize(sentence)))[0])

    def _half(self, pictures: int) -> _SecondHalf:
        """Return what captions so many pictures: exact until many come at once, from then on in the best precision."""
        with self._choosing:
            rounded = self._may_round and pictures >= GROUP
            if self._second_half is None or (rounded and not self._second_half.rounded):
                self._second_half = _SecondHalf(self._bundle, rounded)
            return self._second_half

    @cached_property
    def _caption_embedder(self) -> CaptionEmbedder:
        assert self._bundle.embedding
        return CaptionEmbedder(self._bundle.embedding, self._vocabulary)

    @cached_property
    def _encoder(self) -> Encoder:
        assert self._parts
        encoder = build(self._bundle.encoder, self._parts)
        self._parts = None
        return_freed()
        return encoder

    def _distinct(self, words: np.ndarray, logprob: np.ndarray) -> list[Caption]:
        captions: dict[str, Caption] = {}
        for sentence, score in zip(words, logprob, strict=True):
            text = " ".join(self._vocabulary.decode(sentence))
            if text and text not in captions:
                captions[text] = Caption(text, float(score))
        return list(captions.values())
