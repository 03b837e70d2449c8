"""The model card as Markdown."""

from __future__ import annotations

import pytest

from training.card import Facts, render_card


@pytest.fixture
def facts() -> Facts:
    return Facts(
        name="Retroflex captioner",
        model_version="3f2a",
        summary="Captions photographs.",
        data=[{"name": "Flickr8k", "used_for": "decoder", "terms": "research | education"}],
        splits={"train": 6000, "dev": 1000},
        seeds={"train": 0},
        commands=["retroflex train --dataset DIR --out DIR"],
        figures={"captions, dev": {"bleu4": 12.345, "distinct": 640}},
        examples=[{"picture": "coffee (scikit-image)", "caption": "a cup\non a table"}],
        limits=["Reads no text in pictures."],
    )


def test_every_fact_is_in_the_card(facts: Facts) -> None:
    card = render_card(facts)
    for line in (
        "# Retroflex captioner",
        "Model version: `3f2a`",
        "Captions photographs.",
        "| Flickr8k | decoder | research \\| education |",
        "| train | 6,000 |",
        "retroflex train --dataset DIR --out DIR",
        "| captions, dev | bleu4 | 12.35 |",
        "| captions, dev | distinct | 640 |",
        "| coffee (scikit-image) | a cup on a table |",
        "- Reads no text in pictures.",
    ):
        assert line in card.splitlines()


def test_empty_sections_are_left_out(facts: Facts) -> None:
    facts["examples"], facts["commands"], facts["limits"] = [], [], []
    headings = [line for line in render_card(facts).splitlines() if line.startswith("## ")]
    assert headings == ["## Data and its terms", "## Splits", "## Seeds", "## Figures"]
