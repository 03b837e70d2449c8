"""The model card of a bundle: data, training, figures and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict


class Source(TypedDict):
    """A collection used in training."""

    name: str
    used_for: str
    terms: str
    """Licence, or the terms under which the collection may be used."""


class Example(TypedDict):
    """A caption of a picture outside the training data."""

    picture: str
    caption: str


class Notes(TypedDict):
    """The hand-written part of a card; a section whose list is empty is left out."""

    data: Sequence[Source]
    commands: Sequence[str]
    """The commands that made the bundle, in order, without paths of a machine."""
    examples: Sequence[Example]
    limits: Sequence[str]


class Facts(Notes):
    """The content of a card."""

    name: str
    model_version: str
    summary: str
    splits: Mapping[str, int]
    """Number of pictures by split."""
    seeds: Mapping[str, int]
    """Random seed by step: train, evaluate."""
    figures: Mapping[str, Mapping[str, float]]
    """Measured figures by protocol, such as {"captions, dev": {"bleu4": 20.1}}."""


def render_card(facts: Facts) -> str:
    """Return the card of `facts` as Markdown."""
    sections = {
        "Data and its terms": _table(
            ("collection", "used for", "terms"), [(one["name"], one["used_for"], one["terms"]) for one in facts["data"]]
        ),
        "Splits": _table(("split", "pictures"), [(name, f"{size:,}") for name, size in facts["splits"].items()]),
        "Seeds": _table(("step", "seed"), [(step, str(seed)) for step, seed in facts["seeds"].items()]),
        "Commands": _code(facts["commands"]),
        "Figures": _figures(facts["figures"]),
        "Examples": _table(
            ("picture", "caption"), [(example["picture"], example["caption"]) for example in facts["examples"]]
        ),
        "Limits": "\n".join(f"- {_line(limit)}" for limit in facts["limits"]),
    }
    head = (
        f"# {_line(facts['name'])}\n\nModel version: `{_line(facts['model_version'])}`\n\n{facts['summary'].strip()}\n"
    )
    return head + "".join(f"\n## {title}\n\n{body}\n" for title, body in sections.items() if body)


def _figures(figures: Mapping[str, Mapping[str, float]]) -> str:
    rows = [(protocol, name, _number(value)) for protocol, values in figures.items() for name, value in values.items()]
    return _table(("protocol", "figure", "value"), rows)


def _number(value: float) -> str:
    """Format with two decimals, three below one (CIDEr), none for integers."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{2 if abs(value) >= 1 else 3}f}"


def _code(lines: Sequence[str]) -> str:
    return "\n".join(["```", *(_line(line) for line in lines), "```"]) if lines else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---"] * len(header), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(text.split())
