"""How scores add up to relevance, learnt from a split's own captions and pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from captioner.bundle import SearchConfig
from captioner.calibration import Calibration
from captioner.cells import pack_cells
from captioner.decoder import Decoder
from captioner.embedding import Embedding, PictureEmbedder, TextEmbedder
from captioner.likelihood import Likelihood
from data.progress import progress_bar
from data.text import tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.search.relevance import Relevance, sigmoid
from retrieval.search.reranker import SentenceScores
from training.batches import Split
from training.decoder.trainer import TrainedDecoder, caption_split
from training.metrics import ranks_of_rows, summarise
from training.relevance.absent import absent_words, fit_unsaid
from training.relevance.reranking import fit_reranker, held_out_reranked, rerank_best
from training.texts import Texts

PRIOR = 0.01
"""The share of a library's pictures that a query asks for: relevance is a probability where that is so."""
FOLDS = 5
PARTS = ("bleu", "cosine")
LEAST_BLEU = 0.5
"""That a caption says what is asked for never counts against its picture, whatever a fit to few captions finds."""
BATCH = 50
NEWTON_STEPS = 30
RIDGE = 1e-7
"""Keeps the weight of a score that tells nothing, such as BLEU where there are no captions, at zero."""


def calibrate(
    embedding: Embedding, trained: TrainedDecoder, split: Split, search: SearchConfig, texts: Texts
) -> tuple[Calibration, dict[str, float]]:
    """Fit the relevance of a sentence and a picture on `split`; return it with its cross-validated search figures.

    The relevance is `words`, from BLEU and cosine, those of the `reranker` for the best pictures, and what counts
    against pictures where no caption says the words asked for, learnt with the words of `texts`.

    Every human caption is a query, the gallery is the split's pictures with generated captions only. Figures are
    recall (percent) and median rank, each query ranked by weights that were fitted without its picture.
    """
    sentences = [(caption, row) for row, captions in enumerate(split.captions) for caption in captions]
    target = np.array([row for _, row in sentences])
    queries = [caption for caption, _ in sentences]
    decoder = Decoder(trained.config, trained.weights)
    embeddings = _embeddings(embedding, split)
    gallery = caption_split(trained.decoder, trained.vocabulary, split, search)
    bleu = _bleu(queries, gallery)
    parts = np.stack([bleu, _cosines(queries, embedding, embeddings)])
    relevance = fit_relevance(parts, target, LEAST_BLEU)
    likelihood = Likelihood(trained.config, trained.weights, trained.vocabulary)
    best = rerank_best(
        SentenceScores(likelihood, embedding.sentences),
        queries,
        relevance.logit(dict(zip(PARTS, parts, strict=True))),
        _cells(decoder, split),
        embeddings,
    )
    scores = held_out_reranked(best, _held_out(parts, target), target, FOLDS)
    text = TextEmbedder(embedding.config, embedding.weights, embedding.vocabulary, embedding.synonyms)
    shown = [*queries, *(tokenize(caption) for captions in gallery for caption in captions)]
    unsaid = fit_unsaid(absent_words(texts.unpaired_own, shown, text), relevance, text, embeddings)
    calibration = Calibration(relevance.to_json(), fit_reranker(best, target), unsaid)
    return calibration, summarise(ranks_of_rows(scores, target))


def fit_relevance(parts: np.ndarray, target: np.ndarray, least: float = -np.inf) -> Relevance:
    """Fit by logistic regression what each part is worth, BLEU at least `least` where it tells anything.

    `parts` (2, queries, pictures): BLEU and cosine; `target` (queries,): the row of each query's picture. A query's
    own picture weighs PRIOR, all others together 1 - PRIOR.
    """
    wanted = np.zeros(parts.shape[1:], bool)
    wanted[np.arange(len(target)), target] = True
    others = max(1, int((~wanted).sum()))
    count = np.where(wanted, PRIOR / len(target), (1 - PRIOR) / others).ravel()
    x = np.concatenate([parts.reshape(len(parts), -1), np.ones((1, len(count)))])
    weights = _newton(x, wanted.ravel(), count, np.zeros(len(count)))
    if weights[0] < least and x[0].any():
        weights = np.append(least, _newton(x[1:], wanted.ravel(), count, least * x[0]))
    return Relevance(float(weights[-1]), {name: float(one) for name, one in zip(PARTS, weights, strict=False)})


def _newton(x: np.ndarray, wanted: np.ndarray, count: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Newton's method (iteratively reweighted least squares) for the weights of `x` (parts, n), beside `given` (n,)."""
    weights = np.zeros(len(x))
    for _ in progress_bar(range(NEWTON_STEPS), desc="fitting relevance", unit="step"):
        chance = sigmoid(weights @ x + given)
        curvature = (x * (count * chance * (1 - chance))) @ x.T
        slope = x @ (count * (wanted - chance)) - RIDGE * weights
        weights = weights + np.linalg.solve(curvature + RIDGE * np.eye(len(x)), slope)
    return weights


def _held_out(parts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Relevance (queries, pictures) by weights fitted on the other folds' queries and pictures."""
    scores = np.zeros(parts.shape[1:])
    for fold in range(FOLDS):
        held, kept = target % FOLDS == fold, np.arange(parts.shape[2]) % FOLDS != fold
        if held.any() and not held.all():
            row_of = np.cumsum(kept) - 1
            fitted = fit_relevance(parts[:, ~held][:, :, kept], row_of[target[~held]], LEAST_BLEU)
            scores[held] = fitted({name: part[held] for name, part in zip(PARTS, parts, strict=True)})
    return scores


def _bleu(sentences: Sequence[Sequence[str]], gallery: Sequence[Sequence[str]]) -> np.ndarray:
    postings = BleuPostings.build(gallery)
    bar = progress_bar(sentences, desc="BLEU", unit="query")
    return np.stack([postings.dense(sentence) for sentence in bar])


def _batches(split: Split, title: str) -> tqdm:
    """The first rows of batches of pictures, under a bar."""
    return progress_bar(range(0, len(split.names), BATCH), desc=title, unit="batch")


def _embeddings(embedding: Embedding, split: Split) -> np.ndarray:
    pictures = PictureEmbedder(embedding.config, embedding.weights)
    starts = _batches(split, "embedding")
    return np.concatenate([pictures.embed(split.grids[start : start + BATCH, 0]) for start in starts])


def _cells(decoder: Decoder, split: Split) -> list[bytes]:
    starts = _batches(split, "attention cells")
    prepared = (decoder.prepare(split.grids[start : start + BATCH, 0])[0] for start in starts)
    return [packed for one in prepared for packed in pack_cells(one.cells)]


def _cosines(sentences: Sequence[Sequence[str]], embedding: Embedding, gallery: np.ndarray) -> np.ndarray:
    text = TextEmbedder(embedding.config, embedding.weights, embedding.vocabulary)
    unknown = np.zeros(gallery.shape[1], np.float32)
    bar = progress_bar(sentences, desc="cosine", unit="query")
    embeddings = [text.embed(sentence) for sentence in bar]
    return np.stack([unknown if one is None else one for one in embeddings]) @ gallery.T
