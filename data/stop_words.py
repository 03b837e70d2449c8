"""Words that say nothing of what a picture shows."""

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
_OTHER_LANGUAGES = (
    # German
    "der die das den dem des ein eine einen einem einer eines und oder aber auf in im ins an am ans mit ohne von "
    "vom zu zum zur bei beim für über unter neben vor hinter zwischen durch um aus nach während ist sind war "
    "waren wird werden hat haben sich er sie es ihr ihre ihren ihrem seine seinen seinem sein ihm ihn dass als "
    "wie wo wer was nicht kein keine noch auch nur etwas jemand andere anderen anderer dabei dort hier",
    # French
    "le la les l un une des du de d et ou mais à au aux en dans sur sous avec sans par pour chez vers entre "
    "devant derrière pendant près est sont était étaient a ont avoir être il elle ils elles on se s son sa ses "
    "leur leurs ce cet cette ces qui que qu dont où ne pas plus autre autres tout tous toute toutes très quelque "
    "y",
    # Czech
    "a i v ve na nad pod před za u o od do z ze s se k ke po při mezi přes bez pro je jsou byl byla bylo byli být "
    "má mají si svůj svou své svém svým jeho její jejich ten ta to ty tento tato toto který která které kteří co "
    "kdo kde jak když nebo ale že by už jeden jedna jedno jiný jiná další nějaký nějaká několik",
)
FUNCTION_WORDS = QUERY_STOP_WORDS | frozenset(tokenize(" ".join(_OTHER_LANGUAGES)))
"""Those of all languages that queries are read in."""
