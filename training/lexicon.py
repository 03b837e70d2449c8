"""Make the table of English words that search uses, out of WordNet 3.0 and a bundle's words.

    python -m training.lexicon --wordnet DIR

writes `retrieval/search/wordnet.json.gz`: which words are English, which word of captions comes nearest to a word that
captions never say, and which words of captions are narrower than another. A nearest word needs two sources: WordNet's
first meaning that a picture shows, and either the text encoder's neighbours of the word or that it mostly has no other
meaning (`Nearest`).
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from captioner.bundle import BUNDLED, load_search_model
from captioner.embedding import TextEmbedder
from data.text import FUNCTION_WORDS, tokenize
from retrieval.search.lexicon import CREDIT, TABLE
from training.wordnet import WordNet, read_wordnet

SUBJECTS = frozenset(("03", "05", "06", "08", "13", "17", "18", "20"))
"""WordNet's numbers for what a picture shows: the highest meanings (food, animal, person), animals, things, bodies,
food, places in nature, people and plants."""
VAGUE = frozenset(
    tokenize(
        "object thing unit whole being individual someone somebody soul mortal container device equipment covering "
        "structure area material substance instrument system piece part item article stuff match means way line "
        "formation elevation body surface support frame section position head point end male female self goods "
        "construction commodity product mechanism block sheet strip creation work figure character professional "
        "worker adult expert leader relative creature young machine group collection gathering organism cause agent "
        "location region land vessel fluid liquid solid white black religious spread hall event practice act matter "
        "medium tool implement instrumentality facility complex base top side lover "
    )
)
"""Words of captions that say too little of what was asked for."""
MISLEADING = frozenset(("arms", "barrier", "enclosure", "ground", "member"))
"""Words that captions say of something else than what they are in WordNet's first meaning."""
ANIMAL, FOOD, HUMAN, PLANT = "05", "13", "18", "20"
GROWN = frozenset((ANIMAL, FOOD, PLANT))
"""One word often names a plant or an animal, its fruit or meat, and its wood."""
ORDER = {ANIMAL: 0, PLANT: 2}
PEOPLE, PERSON = "people", "person"
SENSES, NEAREST = 3, 3
STEPS, STEPS_OF_ANIMALS = 8, 14
NEIGHBOURS, AGREEING, OFTEN = 12, 2, 0.15
"""Neighbours tell a meaning where the word is in this first part of the text encoder's words, by frequency."""
COUNTED = 2
"""Times that a meaning was met in the texts in which WordNet counted, from which on those never met do not matter."""
MOSTLY = 0.5
"""The share of a word's meanings, weighted by how often they were met, that the word it reaches must have, too."""
FAMILIAR = 800
"""Rank in captions up to which words for people are reached; rarer ones, such as rival and viewer, say other things."""
SYNONYM_COSINE = 0.6
"""Two words of one meaning in WordNet are one for search where the text encoder places them as near as this."""


@click.command()
@click.option("--wordnet", type=click.Path(path_type=Path), required=True, help="Folder of WordNet 3.0's files.")
@click.option("--bundle", type=click.Path(path_type=Path), default=BUNDLED, help="Captioner bundle.")
@click.option("--out", type=click.Path(path_type=Path), default=TABLE, help="Where the table goes.")
def main(wordnet: Path, bundle: Path, out: Path) -> None:
    """Make the table of words."""
    model = load_search_model(bundle)
    if model.caption_words is None or model.embedder is None:
        raise click.ClickException(f"{bundle} has no words of captions; give a bundle with a shared space")
    document = lexicon(read_wordnet(wordnet), model.caption_words.words, model.embedder)
    packed = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    out.write_bytes(gzip.compress(packed, mtime=0))
    click.echo(f"{len(document['nearest']):,} words reach a word of captions; {out.stat().st_size:,} bytes in {out}")


def lexicon(wordnet: WordNet, captions: tuple[str, ...], embedder: TextEmbedder) -> dict[str, Any]:
    """Return the table: `words` by part of speech, `irregular` forms, `nearest` and `narrower` words of `captions`."""
    near = Nearest(wordnet, captions, embedder)
    nouns = sorted({lemma for lemma, part in wordnet.senses_of if part == "n" and lemma.isalpha()} - FUNCTION_WORDS)
    nearest = {noun: near(noun) for noun in nouns}
    return {
        "credit": CREDIT,
        "words": {part: " ".join(sorted(_words(wordnet, part))) for part in "nvar"},
        "irregular": {form: lemmas[0] for (form, part), lemmas in wordnet.irregular.items() if part == "n"},
        "nearest": {noun: " ".join(targets) for noun, targets in nearest.items() if targets},
        "narrower": {word: " ".join(narrower) for word, narrower in near.narrower().items()},
    }


def _words(wordnet: WordNet, part: str) -> set[str]:
    """The single words of a part of speech; without abbreviations in capitals, which hide slips of the pen."""
    written = {one for keys, of in _senses(wordnet, part) for one in wordnet.senses[keys].lemmas if of == part}
    irregular = {form for form, of in wordnet.irregular if of == part and form.isalpha()}
    return irregular | {one.lower() for one in written if one.isalpha() and (len(one) == 1 or not one.isupper())}


def _senses(wordnet: WordNet, part: str) -> Iterator[tuple[str, str]]:
    return ((key, key[-1]) for key in wordnet.senses if key[-1] == part)


class Nearest:
    """Finds the words of captions that come nearest to a noun."""

    def __init__(self, wordnet: WordNet, captions: tuple[str, ...], embedder: TextEmbedder) -> None:
        self._wordnet, self._embedder = wordnet, embedder
        self._rank = {word: rank for rank, word in enumerate(captions)}
        self._known = [word for word in embedder.words if wordnet.nouns(word) and word not in FUNCTION_WORDS]
        self._vectors = np.stack([_vector(embedder, word) for word in self._known])
        self._place = {word: place for place, word in enumerate(embedder.words)}
        self._rows = {word: row for row, word in enumerate(self._known)}
        self._said = self._words_by_sense()

    def __call__(self, noun: str) -> list[str]:
        """Return up to NEAREST words, best first: of the first meaning that both sources agree on.

        A further meaning counts only where the text encoder places the word beside it, or for living things and food.
        """
        near, shown = self._neighbours(noun), self._shown(noun)
        for place, key in enumerate(shown):
            candidates = [(word, step) for word, step in self._candidates(key) if word not in (noun, *MISLEADING)]
            before = {self._subject(one) for one in shown[:place] if any(self._candidates(one))}
            if not before <= GROWN - {self._subject(key)}:
                candidates = [(word, step) for word, step in candidates if word in near]
            found = [word for word, step in candidates if self._agree(noun, key, word, step, near, shown)]
            if found:
                return found[:NEAREST]
        return []

    def _shown(self, noun: str) -> list[str]:
        """The first meanings that a picture shows; names, with a capital, only where there is nothing else."""
        shown = [key for key in self._senses(noun) if self._subject(key) in SUBJECTS]
        common = [key for key in shown if noun in self._wordnet.senses[key].lemmas]
        shown = common or [key for key in shown if self._subject(key) in GROWN]
        counts = [self._wordnet.counts.get((noun, key), 0) for key in shown]
        if not shown or counts[0] < COUNTED:
            return shown
        return [key for key, count in zip(shown, counts, strict=True) if count]

    def _subject(self, key: str) -> str:
        return self._wordnet.senses[key].subject

    def _senses(self, noun: str) -> list[str]:
        """The first meanings: animals first, before people and dishes that are named after them, and plants last, after
        their fruits; then those that are named by `noun` first, before those that it is another name of."""
        keys = self._wordnet.nouns(noun)[:SENSES]
        senses = self._wordnet.senses
        return sorted(keys, key=lambda key: (ORDER.get(senses[key].subject, 1), senses[key].lemmas[0].lower() != noun))

    def narrower(self) -> dict[str, list[str]]:
        """Return, for each word of captions, the words of captions whose first meaning is a kind of its own."""
        found: dict[str, set[str]] = defaultdict(set)
        for word in (word for word in self._rank if self._is_noun(word, mostly=True)):
            for key in self._wordnet.nouns(word)[:1]:
                for above in self._wordnet.above(key):
                    for broader in self._said.get(above, []):
                        found[broader].add(word)
        found[PEOPLE] |= found[PERSON] | {PERSON}
        found[PERSON] |= {PEOPLE}
        return {word: sorted(words - {word}, key=self._rank.__getitem__) for word, words in sorted(found.items())}

    def _is_noun(self, word: str, mostly: bool = False) -> bool:
        """Whether a word is often a noun: "plant", not "dry"; with `mostly` more often than anything else: "child"."""
        nouns, verbs, adjectives = (len(self._wordnet.senses_of.get((word, part), ())) for part in "nva")
        often = nouns > verbs and nouns > 2 * adjectives if mostly else 2 * nouns >= verbs and nouns >= adjectives
        return often and word not in FUNCTION_WORDS and word not in VAGUE

    def _words_by_sense(self) -> Mapping[str, list[str]]:
        """The words of captions by their first meaning, most frequent first."""
        found: dict[str, list[str]] = defaultdict(list)
        for word in filter(self._is_noun, self._rank):
            for key in self._wordnet.nouns(word)[:1]:
                found[key].append(word)
        return found

    def _candidates(self, key: str) -> Iterator[tuple[str, int]]:
        """Words of captions with this meaning (step 0) or a broader one, nearest first."""
        for lemma in self._wordnet.senses[key].lemmas:
            if lemma.lower() in self._rank and self._is_noun(lemma.lower()):
                yield lemma.lower(), 0
        steps = STEPS_OF_ANIMALS if self._subject(key) == ANIMAL else STEPS
        for step, above in enumerate(self._wordnet.above(key)[:steps], 1):
            if self._subject(above) in SUBJECTS:
                yield from ((word, step) for word in self._said.get(above, []))

    def _neighbours(self, noun: str) -> list[str]:
        """The nouns that the text encoder places nearest; none where it did not meet the word often."""
        row = self._rows.get(noun)
        if row is None or self._place[noun] > OFTEN * len(self._place):
            return []
        nearest = np.argsort(-(self._vectors @ self._vectors[row]))[1 : NEIGHBOURS + 1]
        return [self._known[one] for one in nearest.tolist()]

    def _agree(self, noun: str, key: str, word: str, step: int, near: list[str], shown: list[str]) -> bool:
        """Whether a second source says that `noun`, in the meaning `key`, is a `word` or a kind of it.

        The sources are the text encoder's neighbours, and that `noun` mostly means kinds of `word`, in all meanings
        that are `shown`; for living things and food, in those of the same subject.
        """
        if self._subject(key) == HUMAN and word not in near and self._rank[word] > FAMILIAR:
            return False
        meanings = self._wordnet.nouns(word)
        if word in near and (step or key in meanings[:SENSES]):
            return True
        own = set(meanings[:1])
        if step == 0 and key not in own:
            return False
        if step == 0 and noun in self._rows:
            return float(self._vectors[self._rows[noun]] @ _vector(self._embedder, word)) >= SYNONYM_COSINE
        if sum(bool(own & self._meanings(other)) for other in near) >= AGREEING:
            return True
        if self._share(noun, key, own) < MOSTLY:
            return False
        if self._subject(key) in GROWN:
            shown = [one for one in shown if self._subject(one) == self._subject(key) and any(self._candidates(one))]
        return all(own & {one, *self._wordnet.above(one)} for one in shown)

    def _share(self, noun: str, key: str, own: set[str]) -> float:
        """The share of the meanings of `noun` that are kinds of `own`, or like `key` living things or food."""
        grown = self._subject(key) in GROWN
        kinds = others = 0
        for one in self._wordnet.nouns(noun):
            weight = 1 + self._wordnet.counts.get((noun, one), 0)
            if own & {one, *self._wordnet.above(one)} or (grown and self._subject(one) in GROWN):
                kinds += weight
            elif grown or noun in self._wordnet.senses[one].lemmas:  # not the name of one person or place
                others += weight
        return kinds / (kinds + others)

    def _meanings(self, noun: str) -> set[str]:
        keys = self._wordnet.nouns(noun)[:2]
        return {above for key in keys for above in (key, *self._wordnet.above(key))}


def _vector(embedder: TextEmbedder, word: str) -> np.ndarray:
    vector = embedder.embed([word])
    assert vector is not None
    return vector


if __name__ == "__main__":
    main()
