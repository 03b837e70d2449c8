"""Group the faces of a library into people; a person's decisions stay.

Faces are joined by average linkage (Sokal and Michener 1958): two groups become one while the mean cosine between their
faces is that of one person. docs/figures.md says how well that works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from captioner.faces.calibration import LINKED
from data.faces.people import put_groups
from data.faces.reads import all_faces, face_vectors
from data.faces.records import StoredFace
from data.store import Store

BLOCK = 1000
"""Faces that are compared with all others at a time."""
MOST = 4000
"""Faces that are joined at a time, which takes the square of it in memory; see `_parts`."""
STEP = 0.005

Groups = list[np.ndarray]
"""Rows of the faces of each group, int64."""


def group_faces(store: Store) -> None:
    """Put all faces that nobody decided about into groups, in one transaction.

    A group joins the person whose decided faces it is near on average; others keep the number of the group that most of
    their faces had. Raises StoreError.
    """
    _, known = face_vectors(store)
    faces = {face.id: face for face in all_faces(store)}
    rows = np.array([row for row, number in enumerate(known.ids.tolist()) if number in faces], np.int64)
    decided = np.array([faces[int(number)].decided for number in known.ids[rows]], bool)
    vectors = known.vectors.astype(np.float32)
    people = _decided(vectors, known.ids, rows[decided], faces)
    free = rows[~decided]
    joined: dict[int, list[int]] = {}
    new: list[list[int]] = []
    taken: set[int] = set(people)
    loose = [free[group] for group in groups_of(vectors[free])] if len(free) else []
    for group in sorted(loose, key=len, reverse=True):
        members = known.ids[group].tolist()
        person = _nearest(vectors[group].mean(axis=0), people)
        if person is None and len(members) > 1:
            person = _before([faces[one] for one in members], taken)
            taken |= {person} if person is not None else set()
        if person is not None:
            joined.setdefault(person, []).extend(members)
        elif len(members) > 1:
            new.append(members)
    put_groups(store, joined, new)


def groups_of(vectors: np.ndarray, linked: float = LINKED) -> Groups:
    """Return the groups of n faces, float32 (n, d) of length 1, those of a single face included."""
    from sklearn.cluster import AgglomerativeClustering

    groups: Groups = []
    for part in _parts(vectors, np.arange(len(vectors)), linked):
        if len(part) == 1:
            groups.append(part)
            continue
        distances = np.maximum(1 - vectors[part] @ vectors[part].T, 0)
        joining = AgglomerativeClustering(
            n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - linked
        )
        labels = joining.fit(distances).labels_
        groups += [part[labels == label] for label in range(labels.max() + 1)]
    return groups


def _parts(vectors: np.ndarray, rows: np.ndarray, linked: float) -> Groups:
    """Return rows in parts that no pair of `linked` faces connects, so that no group has faces of two parts.

    A part above MOST is parted by a higher cosine, which may part the faces of one person.
    """
    from scipy.sparse.csgraph import connected_components

    count, labels = connected_components(_linked(vectors[rows], linked), directed=False)
    order = np.argsort(labels, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(labels, minlength=count))[:-1])
    return [
        smaller
        for part in parts
        for smaller in (_parts(vectors, part, linked + STEP) if len(part) > MOST and linked < 1 else [part])
    ]


def _linked(vectors: np.ndarray, linked: float) -> object:
    """Return the sparse matrix (n, n) of the pairs with a cosine of at least `linked`."""
    from scipy.sparse import coo_matrix

    pairs = []
    for start in range(0, len(vectors), BLOCK):
        first, second = np.nonzero(vectors[start : start + BLOCK] @ vectors[start:].T >= linked)
        pairs.append(np.stack([first, second]) + start)
    rows, columns = np.concatenate(pairs, axis=1)
    return coo_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(vectors), len(vectors)))


def _decided(
    vectors: np.ndarray, ids: np.ndarray, rows: np.ndarray, faces: Mapping[int, StoredFace]
) -> dict[int, np.ndarray]:
    """Return for each person the mean of the vectors of its decided faces."""
    own: dict[int, list[int]] = {}
    for row in rows.tolist():
        person = faces[int(ids[row])].person_id
        if person is not None:
            own.setdefault(person, []).append(row)
    return {person: vectors[members].mean(axis=0) for person, members in own.items()}


def _nearest(mean: np.ndarray, people: Mapping[int, np.ndarray]) -> int | None:
    """Return the person whose faces have the highest mean cosine to those of a group, None if it is too low."""
    cosines = {person: float(other @ mean) for person, other in people.items()}
    best = max(cosines, key=lambda person: (cosines[person], -person), default=None)
    return best if best is not None and cosines[best] >= LINKED else None


def _before(members: Sequence[StoredFace], taken: set[int]) -> int | None:
    """Return the group in which most of the faces were, None where that is taken or there was none."""
    counts = Counter(face.person_id for face in members if face.person_id is not None and face.person_id not in taken)
    return min(counts, key=lambda person: (-counts[person], person), default=None)
