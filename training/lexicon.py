"""Make the table of English words that search uses, out of WordNet 3.0 and a bundle's words.

    python -m training.lexicon --wordnet DIR

writes `retrieval/search/wordnet.json.gz`: which words are English, which word of captions comes nearest to a word that
captions never say, and which words of captions are narrower than another. A nearest word needs two sources: WordNet's
order of meanings, and either the text encoder's neighbours of the word or WordNet's own definition.
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
        "medium tool implement instrumentality facility building-complex base top side lover "
    )
)
"""Words of captions that say too little of what was asked for."""
ANIMAL, PLANT = "05", "20"
ORDER = {ANIMAL: 0, PLANT: 2}
PEOPLE, PERSON = "people", "person"
SENSES, STEPS, NEAREST = 3, 8, 3
NEIGHBOURS, AGREEING = 12, 2
SYNONYM_COSINE = 0.6
"""Two words of one meaning in WordNet are one for search where the text encoder places them as near as this."""


@click.command()
@click.option("--wordnet", type=click.Path(path_type=Path), required=True, help="Folder of WordNet 3.0's files.")
@click.option("--bundle", type=click.Path(path_type=Path), default=BUNDLED, help="Captioner bundle.")
@click.option("--out", type=click.Path(path_type=Path), default=TABLE, help="Where the table goes.")
def main(wordnet: Path, bundle: Path, out: Path) -> None:
    """Make the table of words."""
    model = load_search_model(bundle)
    if model.spoken is None or model.embedder is None:
        raise click.ClickException(f"{bundle} has no words of captions; give a bundle with a shared space")
    document = lexicon(read_wordnet(wordnet), model.spoken.words, model.embedder)
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
        self._rows = {word: row for row, word in enumerate(self._known)}
        self._said = self._words_by_sense()

    def __call__(self, noun: str) -> list[str]:
        """Return up to NEAREST words, best first: of the first meaning that both sources agree on."""
        near = self._neighbours(noun)
        for key in self._senses(noun):
            candidates = [(word, step) for word, step in self._candidates(key) if word != noun]
            found = [word for word, step in candidates if self._agree(noun, key, word, step, near)]
            if found:
                return found[:NEAREST]
        return []

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
        for step, above in enumerate(self._wordnet.above(key)[:STEPS], 1):
            if self._wordnet.senses[above].subject in SUBJECTS:
                yield from ((word, step) for word in self._said.get(above, []))

    def _neighbours(self, noun: str) -> list[str]:
        """The nouns that the text encoder places nearest; none where it never met the word."""
        row = self._rows.get(noun)
        if row is None:
            return []
        nearest = np.argsort(-(self._vectors @ self._vectors[row]))[1 : NEIGHBOURS + 1]
        return [self._known[one] for one in nearest.tolist()]

    def _agree(self, noun: str, key: str, word: str, step: int, near: list[str]) -> bool:
        """Whether a second source says that `noun`, in the meaning `key`, is a `word` or a kind of it.

        The sources are WordNet's definition, the text encoder's neighbours, and that no other meaning of the word is
        one that a picture shows and no kind of `word`.
        """
        if word in near or word in tokenize(self._wordnet.senses[key].definition):
            return True
        if step == 0 and noun in self._rows:
            return float(self._vectors[self._rows[noun]] @ _vector(self._embedder, word)) >= SYNONYM_COSINE
        own = set(self._wordnet.nouns(word)[:1])
        if sum(bool(own & self._meanings(other)) for other in near) >= AGREEING:
            return True
        if self._wordnet.senses[key].subject in (ANIMAL, PLANT) and step:
            return any(one in own for one in self._wordnet.above(key))
        named = [one for one in self._senses(noun) if self._wordnet.senses[one].lemmas[0].lower() == noun] or [key]
        shown = [one for one in named if self._wordnet.senses[one].subject in SUBJECTS]
        return all(own & {one, *self._wordnet.above(one)} for one in shown) if step else shown == [key]

    def _meanings(self, noun: str) -> set[str]:
        keys = self._wordnet.nouns(noun)[:2]
        return {above for key in keys for above in (key, *self._wordnet.above(key))}


def _vector(embedder: TextEmbedder, word: str) -> np.ndarray:
    vector = embedder.embed([word])
    assert vector is not None
    return vector


if __name__ == "__main__":
    main()
