"""Metrics: BLEU and CIDEr of captions, ranks and recall of searches, precision of nearest neighbours.

Captions are scored by the coco-caption definitions with `pycocoevalcap`. Words come from `data.text.tokenize` instead
of coco-caption's Java tokenizer, for hypotheses and references alike, so that no Java is needed.

Searches: every human caption of a picture is a query, its picture is the target, the gallery is all pictures of the
split. The best rank is 1. Ties are broken at random with a fixed seed, so that a ranking gains nothing from the order
of the gallery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider

from data.text import tokenize

MAX_ORDER = 4
NEAREST = 10


def caption_scores(references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]) -> dict[str, float]:
    """Score a hypothesis caption of each picture against the picture's reference captions.

    Both mappings are keyed by picture name and must have the same names. Return `bleu1` to `bleu4`
    (corpus BLEU with the closest reference length's brevity penalty, Papineni et al. 2002, in percent),
    `cider` (Vedantam et al. 2015, on the scale where 0.45 is often printed as 45), `distinct` (number of
    different hypotheses) and `mean_length` (words per hypothesis). CIDEr weights n-grams by their document
    frequency, so it is meaningful for whole splits only.

    Raise ValueError when there is no picture, the names differ, or a picture has no reference.
    """
    _check(references, hypotheses)
    truth = {name: [_words(caption) for caption in captions] for name, captions in references.items()}
    candidates = {name: [_words(hypotheses[name])] for name in references}
    bleu, _ = Bleu(MAX_ORDER).compute_score(truth, candidates, verbose=0)
    cider, _ = Cider(n=MAX_ORDER).compute_score(truth, candidates)
    sentences = [sentence for (sentence,) in candidates.values()]
    return {
        **{f"bleu{order}": 100 * float(value) for order, value in enumerate(bleu, 1)},
        "cider": float(cider),
        "distinct": len(set(sentences)),
        "mean_length": sum(len(sentence.split()) for sentence in sentences) / len(sentences),
    }


def _check(references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]) -> None:
    if not references:
        raise ValueError("no pictures to score captions of")
    if references.keys() != hypotheses.keys():
        odd = sorted(references.keys() ^ hypotheses.keys())
        raise ValueError(f"references and hypotheses name different pictures, for one {odd[0]}")
    bare = next((name for name, captions in references.items() if not captions), None)
    if bare is not None:
        raise ValueError(f"{bare} has no reference caption")


def _words(sentence: str) -> str:
    return " ".join(tokenize(sentence))


CUTS = (1, 5, 10)

Scorer = Callable[[str], Mapping[str, np.ndarray]]
"""Maps a query to the scores of the gallery (n,) by name of the ranking; higher is better, 0 is no hit."""


def rank_of(scores: np.ndarray, target: int, random: np.random.Generator) -> int:
    """Return the rank, from 1, of row `target` among `scores` (n,); ties are broken at random."""
    own = scores[target]
    better = int(np.count_nonzero(scores > own))
    equal = int(np.count_nonzero(scores == own))
    return better + 1 + int(random.integers(equal))


def ranks_of(scores: Iterable[np.ndarray], targets: Iterable[int], seed: int) -> np.ndarray:
    """Return the rank, int64 (queries,), of each query's target row among its scores (gallery size,)."""
    random = np.random.default_rng(seed)
    return np.array([rank_of(one, target, random) for one, target in zip(scores, targets, strict=True)], np.int64)


def ranks_of_queries(queries: Iterable[tuple[str, int]], scorer: Scorer, seed: int) -> dict[str, np.ndarray]:
    """Score every (query, target row) and return, for each of the scorer's rankings, the ranks int64 (queries,).

    Each ranking has its own generator with the same `seed`, so its figures do not depend on the other rankings.
    """
    ranks: dict[str, list[int]] = {}
    generators: dict[str, np.random.Generator] = {}
    for query, target in queries:
        for name, scores in scorer(query).items():
            random = generators.setdefault(name, np.random.default_rng(seed))
            ranks.setdefault(name, []).append(rank_of(scores, target, random))
    return {name: np.asarray(values, np.int64) for name, values in ranks.items()}


def ranks_of_rows(scores: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return each query's rank, from 1, of its picture among `scores` (queries, pictures), last of equal scores."""
    own = scores[np.arange(len(target)), target]
    return np.asarray((scores >= own[:, None]).sum(axis=1), np.int64)


def recall_at(ranks: np.ndarray, cuts: Sequence[int] = CUTS) -> dict[str, float]:
    """Return `r1`, `r5`, `r10` (for the given cuts): the share of `ranks` (queries,) within the cut, in percent."""
    return {f"r{cut}": 100 * float(np.mean(ranks <= cut)) for cut in cuts}


def summarise(ranks: np.ndarray) -> dict[str, float]:
    """Return recall at 1, 5 and 10 in percent and the `median` rank of `ranks` (queries,), at least one."""
    return {**recall_at(ranks), "median": float(np.median(ranks))}
