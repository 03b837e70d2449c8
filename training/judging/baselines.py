"""Other rankers of the same gallery, to stand beside the product's own: plain BLEU, BM25 and TF-IDF."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from data.text import stems, tokenize
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import BleuVariant

Ranker = Callable[[str], np.ndarray]
"""A query to the scores of all pictures, float64 (n,); 0 is no hit."""

CHECKED = 5
"""Queries whose BLEU-4 is counted by NLTK too: 0.1 ms a picture, so they take a second in a gallery of 1,000."""

UNSMOOTHED = BleuVariant(4, (0.25,) * 4, 0)
SMOOTHED = BleuVariant(4, (0.25,) * 4, 1)


def baselines(gallery: Sequence[Sequence[str]]) -> dict[str, Ranker]:
    """Return the rankers of `gallery`, the caption texts of each picture, by the name they have in the table.

    BLEU-4 has the numbers of NLTK's `sentence_bleu` on words as they stand; BM25 and TF-IDF, which have no other use
    for the forms of a word, see stems.
    """
    postings = BleuPostings.build(gallery, UNSMOOTHED.max_order, fold=str)
    return {
        "BLEU-4, unsmoothed, as NLTK": _bleu(postings, UNSMOOTHED),
        "BLEU-4, method 1, as NLTK": _bleu(postings, SMOOTHED),
        "BM25 (bm25s)": _bm25([_stems(captions) for captions in gallery]),
        "TF-IDF cosine": _tfidf([_stems(captions) for captions in gallery]),
    }


def difference_from_nltk(gallery: Sequence[Sequence[str]], queries: Sequence[str]) -> float:
    """Return the largest difference of any picture's BLEU-4 from NLTK's own `sentence_bleu`, over CHECKED `queries`."""
    postings = BleuPostings.build(gallery, UNSMOOTHED.max_order, fold=str)
    captions = [[tokenize(text) for text in texts] or [[]] for texts in gallery]
    largest = 0.0
    for query in queries[:: -(-len(queries) // CHECKED) or 1]:
        for variant in (UNSMOOTHED, SMOOTHED):
            theirs = _by_nltk(tokenize(query), captions, variant)
            largest = max(largest, float(np.abs(postings.dense(tokenize(query), variant) - theirs).max()))
    return largest


def _by_nltk(query: Sequence[str], captions: Sequence[Sequence[Sequence[str]]], variant: BleuVariant) -> np.ndarray:
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu  # over a second to import

    smoothing = getattr(SmoothingFunction(), f"method{variant.smoothing}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of n-grams that no caption shares, which is the rule here
        return np.array([sentence_bleu(one, query, variant.weights, smoothing) for one in captions], np.float64)


def _bleu(postings: BleuPostings, variant: BleuVariant) -> Ranker:
    return lambda query: postings.dense(tokenize(query), variant)


def _bm25(documents: Sequence[Sequence[str]]) -> Ranker:
    """Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond", in bm25s' defaults."""
    if not any(documents):
        return lambda query: np.zeros(len(documents))
    import bm25s

    index = bm25s.BM25()
    index.index(documents, show_progress=False)

    def rank(query: str) -> np.ndarray:
        words = _stems([query])
        return np.asarray(index.get_scores(words), np.float64) if words else np.zeros(len(documents))

    return rank


def _tfidf(documents: Sequence[Sequence[str]]) -> Ranker:
    """Cosine of (1 + log tf) * log(n / df) vectors: "ltc" in Salton and Buckley (1988), "Term-weighting approaches"."""
    counts = [Counter(words) for words in documents]
    found = Counter(word for count in counts for word in count)
    idf = {word: float(np.log(len(documents) / number)) for word, number in found.items()}
    places: dict[str, tuple[list[int], list[float]]] = {word: ([], []) for word in idf}
    for row, count in enumerate(counts):
        for word, weight in _unit(count, idf).items():
            places[word][0].append(row)
            places[word][1].append(weight)

    def rank(query: str) -> np.ndarray:
        scores = np.zeros(len(documents))
        for word, weight in _unit(Counter(_stems([query])), idf).items():
            rows, weights = places[word]
            scores[rows] += weight * np.asarray(weights)
        return scores

    return rank


def _unit(count: Counter[str], idf: dict[str, float]) -> dict[str, float]:
    """The weights of a text's known words, as a vector of length 1."""
    weights = {word: (1 + np.log(times)) * idf[word] for word, times in count.items() if idf.get(word)}
    length = float(np.sqrt(sum(weight**2 for weight in weights.values())))
    return {word: weight / length for word, weight in weights.items()}


def _stems(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in stems(text)]
