"""How many everyday words that captions never say reach a right word of captions, and how many a wrong one.

    python -m bench.expansion

The words and what is right for each are in `bench/words/`, a list a file, with how it came about. A library that says
every word of the captioner is assumed; words that the captioner knows itself are left out. Searches replace fewer of
them: what the text encoder knows well is near its pictures as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from captioner.bundle import BUNDLED, load_search_model
from data.text import fold
from retrieval.search.lexicon import load_lexicon

LISTS = sorted(Path(__file__).with_name("words").glob("*.txt"))


def judged(words: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each word of a list with the words that are right to reach."""
    for line in words.read_text().splitlines():
        if not line.startswith("#"):
            right, reaching = line.split(":")
            yield from ((word, frozenset(right.split())) for word in reaching.split())


def reached(words: Path) -> dict[str, list[str]]:
    """Return the words of a list that reach a `right` word, a `wrong` one as "word: reached", and `none`."""
    model, lexicon = load_search_model(BUNDLED), load_lexicon()
    assert model.caption_words is not None
    said = {fold(word) for word in model.caption_words.words}
    shares: dict[str, list[str]] = {"right": [], "wrong": [], "none": []}
    for word, right in judged(words):
        if fold(word) in said:
            continue
        near = (lexicon.nearest.get(word) or lexicon.nearest.get(lexicon.lemma(word), "")).split()
        found = next((one for one in near if fold(one) in said), None)
        kind = "none" if found is None else "right" if found in right else "wrong"
        shares[kind].append(word if kind != "wrong" else f"{word}: {found}")
    return shares


def main() -> None:
    """Print the shares of each list, and the words that reach a wrong one or none."""
    for words in LISTS:
        shares = reached(words)
        total = sum(map(len, shares.values()))
        told = [f"{kind} {100 * len(found) / total:.1f} %" for kind, found in shares.items()]
        print(f"{words.stem}: {', '.join(told)} of {total}")
        print("  wrong:", ", ".join(shares["wrong"]))
        print("  none:", ", ".join(shares["none"]))


if __name__ == "__main__":
    main()
