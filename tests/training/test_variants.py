"""The comparison of BLEU variants."""

from __future__ import annotations

from pathlib import Path

from data.dataset import read_dataset
from tests.training.conftest import ColourCaptioner
from training.variants import VARIANTS, _short, evaluate_variants


def test_every_variant_is_measured_on_both_kinds_of_query(
    colour_captioner: ColourCaptioner, colour_dataset: Path
) -> None:
    result = evaluate_variants(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)
    assert set(result["rankings"]) == {f"{name}, {kind}" for name in VARIANTS for kind in ("sentences", "three words")}
    assert result["rankings"]["BLEU-1, sentences"]["r10"] == 100


def test_short_queries_keep_the_rarest_words_in_order() -> None:
    queries = [("a red dog runs on grass", 0), ("a dog sits on grass", 1), ("a dog runs", 2)]
    assert _short(queries)[0] == ("red on grass", 0)
    assert _short(queries)[2] == ("a dog runs", 2)
