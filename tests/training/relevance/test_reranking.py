import numpy as np

from training.relevance.reranking import BestPictures, fit_reranker, held_out_reranked


def made_up(seed: int = 0, queries: int = 4000, count: int = 5) -> tuple[BestPictures, np.ndarray]:
    """Best pictures, of which the right one was drawn by the softmax of logit + 2 a - b."""
    random = np.random.default_rng(seed)
    logits, a, b = random.normal(size=(3, queries, count))
    utility = logits + 2 * a - b + random.gumbel(size=(queries, count))
    rows = np.argsort(random.random((queries, 40)), axis=1)[:, :count]
    target = rows[np.arange(queries), utility.argmax(axis=1)]
    return BestPictures(rows, logits, {"a": a, "b": b}), target


def test_the_weights_that_made_the_choices_are_found() -> None:
    weights = fit_reranker(*made_up())
    assert abs(weights["a"] - 2) < 0.15
    assert abs(weights["b"] + 1) < 0.1


def test_a_picture_out_of_sight_changes_nothing() -> None:
    best, target = made_up(queries=200)
    assert fit_reranker(best, np.full_like(target, 99)) == {"a": 0.0, "b": 0.0}


def test_held_out_queries_gain() -> None:
    best, target = made_up()
    chances = np.full((len(target), 40), 1e-3)
    np.put_along_axis(chances, best.rows, 1 / (1 + np.exp(-best.logits)), axis=1)
    before = (chances.argmax(axis=1) == target).mean()
    after = (held_out_reranked(best, chances, target, folds=5).argmax(axis=1) == target).mean()
    assert after > before + 0.2
