"""How many everyday words that captions never say reach a right word of captions, and how many a wrong one.

    python -m bench.expansion

The words and what is right for each are in everyday_words.txt. A library that says every word of the captioner is
assumed; words that the captioner knows itself are left out. Searches replace fewer of them: what the text encoder knows
well is near its pictures as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from captioner.bundle import BUNDLED, load_search_model
from data.text import fold
from retrieval.search.lexicon import load_lexicon

WORDS = Path(__file__).with_name("everyday_words.txt")


def judged() -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each word with the words that are right to reach."""
    for line in WORDS.read_text().splitlines():
        if not line.startswith("#"):
            right, words = line.split(":")
            yield from ((word, frozenset(right.split())) for word in words.split())


def reached() -> dict[str, list[str]]:
    """Return the words that reach a `right` word, a `wrong` one as "word: reached", and `none`."""
    model, lexicon = load_search_model(BUNDLED), load_lexicon()
    assert model.spoken is not None
    said = {fold(word) for word in model.spoken.words}
    shares: dict[str, list[str]] = {"right": [], "wrong": [], "none": []}
    for word, right in judged():
        if fold(word) in said:
            continue
        near = (lexicon.nearest.get(word) or lexicon.nearest.get(lexicon.lemma(word), "")).split()
        found = next((one for one in near if fold(one) in said), None)
        kind = "none" if found is None else "right" if found in right else "wrong"
        shares[kind].append(word if kind != "wrong" else f"{word}: {found}")
    return shares


def main() -> None:
    """Print the shares, and the words that reach a wrong one or none."""
    shares = reached()
    total = sum(map(len, shares.values()))
    for kind, words in shares.items():
        print(f"{kind:6} {len(words):4} of {total}, {100 * len(words) / total:.1f} %")
    print("wrong:", ", ".join(shares["wrong"]))
    print("none:", ", ".join(shares["none"]))


if __name__ == "__main__":
    main()
