"""Measure what reranking improves, by the length of the query: `python -m bench.reranking --dataset DIR`.

One human caption of each dev picture is a query, whole or shortened to its first words, like typed ones; the gallery is
the split's pictures with generated captions. Print a Markdown table for docs/ranking.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np

from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.cells import unpack_cells
from captioner.embedding import hubness
from captioner.frameworks import load_keras
from captioner.likelihood import FREQUENT_WORDS, Likelihood
from captioner.types import CELLS, JOINT
from data.dataset import read_dataset
from data.progress import progress_bar
from data.text import tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import TYPED_VARIANT
from retrieval.search.relevance import Relevance, sigmoid
from retrieval.search.reranker import DEPTH, depth, shift
from training.evaluation.gallery import Described, describe_pictures
from training.metrics import summarise

LEFT_OUT = frozenset({"a", "an", "the", "is", "are", "in", "on", "of", "and", "with", "to", "at"})
LENGTHS = (1, 2, 3, 5, 8, None)
"""Words of a query; None is the whole caption, with articles."""


class Gallery:
    """Described pictures, ranked for a sentence with and without the reranker."""

    def __init__(self, described: Described, bundle: Bundle) -> None:
        model = bundle.search_model
        assert model.embedder is not None
        assert model.sentences is not None
        self._embedder = model.embedder
        self._relevance = Relevance.from_json(model.calibration.words)
        self._weights = model.calibration.reranker
        self._postings = BleuPostings.build(described.texts)
        embeddings = np.stack([one.vectors[JOINT] for one in described.descriptions]).astype(np.float32)
        self._embeddings = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        self._hubness = hubness(self._embeddings, model.sentences)
        self._cells = [one.blobs[CELLS] for one in described.descriptions]
        parts = bundle.decoder, bundle.decoder_weights, bundle.vocabulary
        self._likelihoods = {
            size: Likelihood(*parts, frequent=size) for size in (FREQUENT_WORDS, len(bundle.vocabulary))
        }

    def ranks(self, tokens: Sequence[str], picture: int) -> dict[str, int] | None:
        """Return the picture's rank by each variant of the reranker; None if the model knows no word."""
        embedding = self._embedder.embed(tokens)
        if embedding is None:
            return None
        bleu = self._postings.at(tokens, TYPED_VARIANT, np.arange(len(self._cells)))
        logits = self._relevance.logit({"bleu": bleu, "cosine": self._embeddings @ embedding})
        best = np.argsort(-logits, kind="stable")[:DEPTH]
        cells = unpack_cells([self._cells[row] for row in best])
        scores_by_name = {"none": logits}
        for size, likelihood in self._likelihoods.items():
            logprob = likelihood.logprob(tokens, cells)
            for count in sorted({depth(tokens), DEPTH} if size == FREQUENT_WORDS else {DEPTH}):
                name = (
                    "as shipped"
                    if count == depth(tokens) and size == FREQUENT_WORDS
                    else f"{count} pictures, {'frequent' if size == FREQUENT_WORDS else 'all'} words"
                )
                scores_by_name[name] = logits + self._shift(logits, best[:count], logprob[:count])
        return {name: 1 + int(np.count_nonzero(scores > scores[picture])) for name, scores in scores_by_name.items()}

    def _shift(self, logits: np.ndarray, best: np.ndarray, logprob: np.ndarray) -> np.ndarray:
        parts = {name: np.full(len(logits), np.nan) for name in self._weights}
        parts["logprob"][best], parts["hubness"][best] = logprob, self._hubness[best]
        return shift(self._weights, parts, sigmoid(logits))


def _queries(described: Described, length: int | None) -> Iterator[tuple[list[str], int]]:
    """Yield a caption of each picture, in turn the first to the fifth, and the picture's row."""
    for row, picture in enumerate(described.pictures):
        words = tokenize(picture.captions[row % len(picture.captions)])
        yield words if length is None else [word for word in words if word not in LEFT_OUT][:length], row


@click.command()
@click.option("--dataset", type=click.Path(path_type=Path), required=True)
def main(dataset: Path) -> None:
    """Print R@1, R@10 and median rank by length of the query and variant of the reranker."""
    load_keras()
    from captioner.captioner import Captioner

    bundle = load_bundle(BUNDLED)
    described = describe_pictures(Captioner(bundle), read_dataset(dataset, "dev").pictures)
    gallery = Gallery(described, bundle)
    click.echo("| words | reranker | R@1 | R@10 | median |\n|---|---|---|---|---|")
    for length in LENGTHS:
        queries = progress_bar(list(_queries(described, length)), desc=f"{length or 'all'} words")
        results = [ranks for words, row in queries if words and (ranks := gallery.ranks(words, row))]
        for name in results[0]:
            figures = summarise(np.array([ranks.get(name, ranks["as shipped"]) for ranks in results]))
            shown = f"{figures['r1']:.1f} | {figures['r10']:.1f} | {figures['median']:g}"
            click.echo(f"| {length or 'all'} | {name} | {shown} |")


if __name__ == "__main__":
    main()
