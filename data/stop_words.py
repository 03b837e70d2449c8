"""English words that say nothing of what a picture shows."""

from __future__ import annotations

from data.text import tokenize

STOP_WORDS = frozenset(
    tokenize(
        "a an the this that these those is are was were be being been has have had do does in on at of with and or to "
        "by for from as into onto over out off up down near next through while who which there it its he she they them "
        "him his her their 's one two some other another"
    )
)
"""Those that captions use."""
QUERY_STOP_WORDS = STOP_WORDS | frozenset(
    tokenize(
        "i me my we us our ours you your yours hers theirs whom whose what where when why how am will would "
        "can could shall should may might must did done doing having not no nor but if so than then too very just "
        "only also both each every any all few more most many much such same own else about above across after "
        "again against along among around before behind below beneath beside besides between beyond during inside "
        "outside toward towards under underneath until upon via within without aren't can't doesn't don't i'm isn't "
        "it's show find picture pictures photo photos photograph photographs image images"
    )
)
"""Those of typed queries, which also say that they ask and that they ask for pictures."""
