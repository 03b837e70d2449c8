"""How often a library shows what is asked for: "dog" asks for a fifth of the pictures, a whole sentence for a few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrieval.index.joined import JoinedPostings
from retrieval.search.relevance import logit

USUAL = 0.04
"""The share of the pictures up to which nothing changes; sentences seldom ask for more. See docs/ranking.md."""
MOST = 0.5
UNSEEN, UNSEEN_SHARE = 20, 0.01
"""Each library counts as if so many more pictures, of which so many show it, were known: a few tell little."""


def prior_shift(tokens: Sequence[str], captions: JoinedPostings, pictures: int) -> float:
    """Return what is added to the logits of relevance to words that the captions of `pictures` pictures say often.

    Relevance is learnt for queries that ask for few pictures. Where more are asked for, each is as much likelier as
    the odds have risen (Bayes' rule for another prior, as in Saerens et al. 2002). The share that is asked for is
    the product of the shares that say each of the words, from USUAL to MOST.
    """
    spread = captions.spread(sorted(set(tokens)))
    saying = pictures * float(np.prod(spread / max(pictures, 1)))
    share = (saying + UNSEEN * UNSEEN_SHARE) / (pictures + UNSEEN)
    usual, asked = logit(np.array([USUAL, min(max(share, USUAL), MOST)]))
    return float(asked - usual)
