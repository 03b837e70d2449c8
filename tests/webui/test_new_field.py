"""A field declared in one place is filtered, counted, sorted and exported everywhere.

Consumers read the declarations when they are imported, so this happens in a process of its own that adds the field
first, as an entry in FIELDS would.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from retrieval.library import Library

FIELDS = """
from retrieval.search import fields
from retrieval.search.declarations import Choice, Codes, Column, Option, Order
from retrieval.search.fields import ChoiceField, NumberRange
import numpy as np

WEIGHT = NumberRange(
    name="bytes",
    stored=("bytes",),
    read=lambda facts: facts.columns["bytes"],
    largest=10**9,
    options=(
        Option("min_bytes", "File at least", "File has at least this many bytes.", "At least {} bytes"),
        Option("max_bytes", "File at most", "File has at most this many bytes.", "At most {} bytes"),
    ),
    wrong_order="no file has {low} to {high} bytes",
    orders=(Order("smallest", "Smallest first"),),
    columns=(Column("bytes", int, lambda picture: picture.bytes),),
)
PARITY = ChoiceField(
    name="parity",
    choices=(Choice("even", "Even ids", "Even"), Choice("odd", "Odd ids", "Odd")),
    read=lambda facts: Codes(("even", "odd"), facts.ids % 2),
    options=(Option("parity", "Parity", "Whether the id is even."),),
    facet="parity",
)
fields.FIELDS += (WEIGHT, PARITY)
"""
USE = """
import json, sys
from click.testing import CliRunner
from data.errors import RetroflexError
from data.settings import load_settings
from retrieval.commands.search import search
from retrieval.library import Library
from webui.app import create_app

def no_captioner():
    raise RetroflexError("none")

def command(*arguments):
    result = CliRunner().invoke(search, [*arguments, "--library", sys.argv[1]])
    assert result.exit_code == 0, result.output
    return result.output

library = Library.open(load_settings(library=sys.argv[1]))
client = create_app(library, no_captioner).test_client()
addresses = json.loads(sys.argv[2])
found = {name: client.get(address).text for name, address in addresses.items()}
found |= {"help": command("--help"), "command": command("something", "--all", "--parity", "odd", "--json")}
found |= {"column": library.collection.state()[0].columns["bytes"].tolist()}
print(json.dumps(found))
"""
ADDRESSES = {
    "pictures": "/api/v1/pictures?sort=smallest&min_bytes={low}&limit=1000",
    "search": "/api/v1/search?q=something&all=true&parity=even&max_bytes={low}",
    "wrong": "/api/v1/pictures?min_bytes=2&max_bytes=1",
    "facets": "/api/v1/facets?parity=odd",
    "openapi": "/api/v1/openapi.json",
    "csv": "/api/v1/export?format=csv&min_bytes={low}",
    "page": "/?q=something&all=true&parity=odd&min_bytes={low}",
    "nothing": "/?q=something&min_bytes=999999999",
}


@pytest.fixture
def sizes(library: Library) -> dict[int, int]:
    """Bytes of each picture's file."""
    return {number: picture.bytes for number, picture in library.store.pictures(range(1, 13)).items()}


@pytest.fixture
def low(sizes: dict[int, int]) -> int:
    """A size in the middle."""
    return sorted(sizes.values())[6]


@pytest.fixture
def answers(library: Library, low: int) -> dict[str, Any]:
    """What a program with two more fields answers."""
    addresses = {name: address.format(low=low) for name, address in ADDRESSES.items()}
    command = [sys.executable, "-c", FIELDS + USE, str(library.settings.library), json.dumps(addresses)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_a_field_declared_once_appears_everywhere(answers: dict[str, Any], sizes: dict[int, int], low: int) -> None:
    large = sorted((number for number in sizes if sizes[number] >= low), key=lambda number: (sizes[number], number))
    assert answers["column"] == list(sizes.values())
    assert [one["id"] for one in json.loads(answers["pictures"])["pictures"]] == large
    found = {one["id"] for one in json.loads(answers["search"])["hits"]}
    assert found == {number for number in sizes if number % 2 == 0 and sizes[number] <= low}
    assert json.loads(answers["wrong"])["detail"] == "no file has 2 to 1 bytes"
    assert json.loads(answers["facets"])["parity"] == [{"value": value, "pictures": 6} for value in ("even", "odd")]
    rows = list(csv.DictReader(io.StringIO(answers["csv"])))
    assert {int(row["id"]): int(row["bytes"]) for row in rows} == {number: sizes[number] for number in large}
    assert all(option in answers["help"] for option in ("--min-bytes", "--max-bytes", "--parity", "smallest"))
    assert {one["id"] % 2 for one in json.loads(answers["command"])["hits"]} == {1}
    _described(json.loads(answers["openapi"]))
    _shown(answers["page"], answers["nothing"], low)


def _described(document: dict[str, Any]) -> None:
    for path in ("search", "pictures", "facets", "export"):
        parameters = {one["name"]: one for one in document["paths"][f"/api/v1/{path}"]["get"]["parameters"]}
        assert parameters["parity"]["schema"] == {"type": "string", "enum": ["even", "odd"]}
        assert parameters["min_bytes"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 10**9}
    schemas = document["components"]["schemas"]
    assert "parity" in schemas["Facets"]["required"]
    assert schemas["ExportedPicture"]["properties"]["bytes"] == {"type": "integer"}


def _shown(page: str, nothing: str, low: int) -> None:
    assert f'name="min_bytes" value="{low}" min="1" max="1000000000"' in page
    assert "Smallest first</option>" in page
    assert ">Odd ids (" in page
    for chip in (f"At least {low:,} bytes", "Odd"):
        assert f'aria-label="{chip}: remove this filter"' in page
    assert "Without “At least 999,999,999 bytes”: " in nothing
