"""Words as pieces."""

from __future__ import annotations

from captioner.grams import MOST, buckets_of


def test_words_spelt_alike_share_pieces_and_the_same_word_always_has_the_same() -> None:
    dog, dogs, cat = (set(buckets_of(word, 2**20)) for word in ("dog", "dogs", "cat"))
    assert len(dog & dogs) >= 3
    assert not dogs & cat
    assert buckets_of("dog", 2**20) == tuple(buckets_of("dog", 2**20))
    assert len(buckets_of("dog", 2**20)) == 6  # <do dog og> <dog dog> <dog>


def test_buckets_are_in_range_and_long_words_end() -> None:
    found = buckets_of("donaudampfschifffahrtsgesellschaft", 16)
    assert len(found) == MOST
    assert min(found) >= 1
    assert max(found) <= 15
    assert buckets_of("ß", 16)
