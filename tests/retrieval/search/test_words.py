"""What people type is read as words, phrases and exclusions."""

from __future__ import annotations

import pytest

from retrieval.search.words import Typed, parse


def read(text: str) -> tuple[str, list[str], list[str]]:
    typed = parse(text)
    return typed.wanted, [" ".join(phrase) for phrase in typed.phrases], [str(one) for one in typed.exclusions]


@pytest.mark.parametrize(
    "text",
    [
        "a dog on a beach",
        "three dogs",
        "a t-shirt in black-and-white",
        "dog - cat",
        "dog -",
        "--",
        "dog --verbatim",
        "5-3",
        "no one on a beach",
        "not only a dog",
        "a dog that is not on a leash",
        "",
    ],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert read(text) == (text, [], [])


@pytest.mark.parametrize(
    ("text", "wanted", "excluded"),
    [
        ("dog -black", "dog", ["black"]),
        ("dog –black", "dog", ["black"]),
        ("-dog", "", ["dog"]),
        ('-"red shirt" man', "man", ["red shirt"]),
        ("man -woman -child", "man", ["woman", "child"]),
        ("no dog", "", ["dog"]),
        ("without a dog", "", ["dog"]),
        ("beach not people", "beach", ["people"]),
        ("beach without any people", "beach", ["people"]),
        ("dogs but no cats", "dogs", ["cats"]),
        ("man no dogs or cats", "man", ["dogs", "cats"]),
        ("beach without cars and people", "beach", ["cars", "people"]),
        ("man, no dog, tree", "man, tree", ["dog"]),
        ("a dog without a leash runs", "a dog runs", ["leash"]),
        ("a beach with no people standing around", "a beach standing around", ["people"]),
        ("ein Strand ohne Menschen", "ein Strand", ["menschen"]),
    ],
)
def test_exclusions(text: str, wanted: str, excluded: list[str]) -> None:
    assert read(text) == (wanted, [], excluded)


@pytest.mark.parametrize(
    ("text", "wanted", "phrases"),
    [
        ('"red shirt" beach', "red shirt beach", ["red shirt"]),
        ("„rotes Hemd“", "rotes Hemd", ["rotes hemd"]),
        ("«chien noir»", "chien noir", ["chien noir"]),
        ('say "red', "say red", []),
        ('""', "", []),
        ('a man beside a sign that says "stop"', "a man beside a sign that says stop", []),
    ],
)
def test_phrases(text: str, wanted: str, phrases: list[str]) -> None:
    assert read(text) == (wanted, phrases, [])


def test_the_whole_text_keeps_what_was_said_in_words() -> None:
    assert parse("a man with no shirt -hat").whole == "a man with no shirt"
    assert parse("a dog") == Typed("a dog", "a dog")
