"""The best pictures of a planned query, compiled: block by block, and only where the bounds leave a chance.

Rows come in rising order, so a picture must beat the last of the best so far to be among them. From this threshold
follow the least numbers of matches and said words that can still win, and whether a picture can that stands in none of
the lists: only then are the marks of common n-grams added up for all pictures of a block; otherwise they are looked up
for the few that the lists leave. Skipping by upper bounds goes back to Turtle and Flood (1995), "Query Evaluation:
Strategies and Optimizations" (MaxScore).
"""

from __future__ import annotations

import numpy as np
from numba import njit

CHUNK = 2**7
"""Pictures that are passed over together where the largest of their keys is too small."""


@njit(nogil=True, cache=True)
def search(listed, common, reach_common, reach, marks, tables, absent, block, found):  # type: ignore[no-untyped-def]
    """Fill `found` with the best pictures; the last of them is the threshold that a later row has to exceed."""
    pictures = len(tables.kind)
    places = listed["begin"].copy()
    for start in range(0, pictures, len(block)):
        if not _can_win(reach, tables, found):
            break
        keys, begins = block[: min(len(block), pictures - start)], places.copy()
        _add_lists(keys, start, places, listed, marks)
        if _can_win(reach_common, tables, found):
            _add_planes(keys, start, common, marks)
            _take_all(keys, start, tables, absent, found)
            keys[:] = 0
        else:
            for number in range(len(places)):
                rows = marks.rows[begins[number] : places[number]]
                _take_listed(rows, keys, start, common, reach_common, marks, tables, absent, found)


@njit(nogil=True, cache=True)
def _worth(mark, term, half):  # type: ignore[no-untyped-def]
    """What the mark of an n-gram adds to a key."""
    count = mark & ((np.uint32(1) << half) - np.uint32(1))
    return np.uint32(min(count, term.most) * term.step + (mark >> half) * term.say)


@njit(nogil=True, cache=True)
def _add_lists(keys, start, places, listed, marks):  # type: ignore[no-untyped-def]
    """Add up what is listed of the block; `places` moves behind it."""
    limit = start + len(keys)
    for number, term in enumerate(listed):
        place = places[number]
        while place < term.end and marks.rows[place] < limit:
            keys[marks.rows[place] - start] += _worth(np.uint32(marks.marks[place]), term, marks.half)
            place += 1
        places[number] = place


@njit(nogil=True, cache=True)
def _add_planes(keys, start, common, marks):  # type: ignore[no-untyped-def]
    """Add up the common n-grams for the whole block."""
    for term in common:
        plane = marks.planes[term.plane, start : start + len(keys)]
        for place in range(len(keys)):
            keys[place] += _worth(np.uint32(plane[place]), term, marks.half)


@njit(nogil=True, cache=True)
def _take_all(keys, start, tables, absent, found):  # type: ignore[no-untyped-def]
    """Take what beats the threshold among all pictures of a block, whose keys are complete."""
    for begin in range(0, len(keys), CHUNK):
        chunk = keys[begin : begin + CHUNK]
        if _largest(chunk) >= found.least[0]:
            for place in range(len(chunk)):
                if chunk[place] >= found.least[0] and _can_win(chunk[place], tables, found):
                    _take(chunk[place], start + begin + place, tables, absent, found)


@njit(nogil=True, cache=True)
def _take_listed(rows, keys, start, common, reach, marks, tables, absent, found):  # type: ignore[no-untyped-def]
    """Take what beats the threshold among the `rows`, whose keys lack the common n-grams; these could add `reach`.

    Every key that was looked at becomes 0, so that no picture is taken twice and the next block begins with zeros.
    """
    for row in rows:
        key = keys[row - start]
        keys[row - start] = 0
        if key and _wins(_bound(np.uint32(key + reach), tables), row, found):
            key = _look_up(key, row, common, reach, marks, tables, found)
            if key:
                _take(key, row, tables, absent, found)


@njit(nogil=True, cache=True)
def _largest(keys):  # type: ignore[no-untyped-def]
    """The largest key, found in vectors of them."""
    largest = np.uint32(0)
    for key in keys:
        largest = max(largest, key)
    return largest


@njit(nogil=True, cache=True)
def _look_up(key, row, common, reach, marks, tables, found):  # type: ignore[no-untyped-def]
    """Return a picture's key with the common n-grams added, or 0 as soon as the rest of them cannot make it win."""
    for term in common:
        key += _worth(np.uint32(marks.planes[term.plane, row]), term, marks.half)
        reach -= term.reach
        if not _wins(_bound(np.uint32(key + reach), tables), row, found):
            return np.uint32(0)
    return key


@njit(nogil=True, cache=True)
def _take(key, row, tables, absent, found):  # type: ignore[no-untyped-def]
    """Score a picture and keep it where it beats the threshold."""
    matches, said = key & ((np.uint32(1) << tables.shift) - np.uint32(1)), key >> tables.shift
    kind = tables.kind[row]
    score = tables.bleu[tables.bleu_class[kind], matches] + tables.agreed[tables.agreed_class[kind], said]
    if _wins(score, row, found) and not (len(absent) and absent[row]):
        _replace_worst(found.scores, found.rows, score, row)
        _raise_least(tables, found)


@njit(nogil=True, cache=True)
def _can_win(key, tables, found):  # type: ignore[no-untyped-def]
    """Say whether any later picture whose numbers are these, or smaller, could be among the best."""
    return _bound(key, tables) > found.scores[0]


@njit(nogil=True, cache=True)
def _bound(key, tables):  # type: ignore[no-untyped-def]
    """The best score of any picture whose numbers are these, or smaller."""
    matches, said = key & ((np.uint32(1) << tables.shift) - np.uint32(1)), key >> tables.shift
    return tables.bleu_bound[matches] + tables.agreed_bound[said]


@njit(nogil=True, cache=True)
def _raise_least(tables, found):  # type: ignore[no-untyped-def]
    """Go on to the first number of matches, and of said words, that wins with the best of the other."""
    least, threshold, bleu, agreed = found.least, found.scores[0], tables.bleu_bound, tables.agreed_bound
    while least[1] + 1 < len(bleu) and bleu[least[1]] + agreed[-1] <= threshold:
        least[1] += 1
    while least[2] + 1 < len(agreed) and bleu[-1] + agreed[least[2]] <= threshold:
        least[2] += 1
    least[0] = (least[2] << tables.shift) + least[1]


@njit(nogil=True, cache=True)
def _replace_worst(scores, rows, score, row):  # type: ignore[no-untyped-def]
    """Put a picture in the place of the worst in the heap; of equal scores the later row is worse."""
    place, size = 0, len(scores)
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _worse(scores, rows, child + 1, scores[child], rows[child]):
            child += 1
        if not _worse(scores, rows, child, score, row):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
    scores[place], rows[place] = score, row


@njit(nogil=True, cache=True)
def _wins(score, row, found):  # type: ignore[no-untyped-def]
    """Say whether a picture with this score is better than the worst of the best so far."""
    return _worse(found.scores, found.rows, 0, score, row)


@njit(nogil=True, cache=True)
def _worse(scores, rows, place, score, row):  # type: ignore[no-untyped-def]
    return scores[place] < score or (scores[place] == score and rows[place] > row)
