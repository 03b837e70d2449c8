"""The commands that the documentation shows exist, with the options it shows."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from captioner.bundle import BUNDLED
from captioner.checksums import bundle_version
from retrieval.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), BUNDLED / "README.md"]
SHOWN = [(page, line) for page in PAGES for line in re.findall(r"retroflex [a-z][^`#\n]*", page.read_text())]


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=[f"{page.name}: {line.strip()}"[:60] for page, line in SHOWN])
def test_a_shown_command_exists(page: Path, line: str) -> None:
    words = line.split()[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        _, found, words = command.resolve_command(context, words)
        assert found is not None, f"{page.name} shows {line}"
        command = found
    known = {option for one in command.params for option in one.opts}
    assert {word for word in words if word.startswith("--")} <= known, f"{page.name} shows {line}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    named = re.findall(r"`((?:data|captioner|retrieval|webui|training|bench|tests)/[\w/.]*)`", page.read_text())
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_figures_are_those_of_the_shipped_bundle() -> None:
    docs = ROOT / "docs"
    for page in (ROOT / "README.md", docs / "figures.md", docs / "ranking.md", BUNDLED / "README.md"):
        assert bundle_version(BUNDLED) in page.read_text(), f"{page.name} speaks of another bundle"


def test_the_readme_repeats_figures_word_for_word() -> None:
    section = (ROOT / "README.md").read_text().split("## Figures\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    figures = (ROOT / "docs" / "figures.md").read_text().splitlines()
    assert len([row for row in rows if row.startswith("|---")]) <= 3
    assert [row for row in rows if row not in figures] == []


def test_every_threat_names_a_test_that_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs" / "security.md").read_text())
    rows = [line for line in (ROOT / "docs" / "security.md").read_text().splitlines() if line.startswith("| ")]
    threats = [row for row in rows if not row.startswith(("| **", "| attack |"))]
    assert all("::" in row for row in threats)
    assert len(threats) > 20
    for file, test in named:
        path = ROOT / file if file.startswith("tests/") else ROOT / "tests" / "webui" / file
        assert re.search(rf"^def {test}\(", path.read_text(), re.M), f"{file}::{test}"
