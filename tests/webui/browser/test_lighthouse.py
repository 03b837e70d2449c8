"""What Lighthouse says of the main views, as a phone has them: accessibility, best practices, search engines.

How fast a page is depends on the machine: `python -m bench.page --lighthouse COMMAND` has that score. Here are parts
of it that do not: how much is loaded, and how it is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.webui.browser.conftest import CHROMIUM, Site
from tests.webui.conftest import add, draw

COMMAND = shutil.which("lighthouse")
VIEWS = {"hits": "?q=red+boat", "picture": "picture/{large}"}
LEAST = 0.95
CATEGORIES = ("accessibility", "best-practices", "seo")
STEADY = ("dom-size", "total-byte-weight", "unsized-images", "uses-long-cache-ttl", "uses-text-compression")
OPTIONS = (
    f"--only-categories={','.join(CATEGORIES)}",
    f"--only-audits={','.join(STEADY)}",
    "--throttling-method=provided",
    "--disable-full-page-screenshot",
    "--output=json",
    "--quiet",
    "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage",
)
TRIES = 3
"""Now and then it misses the beginning of a page, and says to run it again."""

pytestmark = pytest.mark.skipif(COMMAND is None, reason="needs npm's lighthouse 12.2.3 on the path")


def audited(address: str, out: Path) -> dict[str, Any]:
    """What Lighthouse says of an address."""
    command = [str(COMMAND), address, f"--output-path={out}", *OPTIONS]
    environment = {**os.environ, "CHROME_PATH": str(CHROMIUM)}
    for _ in range(TRIES):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
    if done.returncode:
        pytest.skip(f"lighthouse did not finish in {TRIES} tries: {done.stderr[-300:]}")
    said: dict[str, Any] = json.loads(out.read_text())
    return said


def test_lighthouse_finds_the_main_views_good(site: Site, tmp_path: Path) -> None:
    add(site.library, site.photos / "large.jpg", draw("red", (4000, 3000), picture_format="JPEG"))
    large = max(site.library.store.pictures(range(1, 99)))
    for name, view in VIEWS.items():
        said = audited(site.address + view.format(large=large), tmp_path / "said.json")
        scores = {one: said["categories"][one]["score"] for one in CATEGORIES}
        scores |= {one: said["audits"][one]["score"] for one in STEADY if one in said["audits"]}
        low = {one: score for one, score in scores.items() if score is not None and score < LEAST}
        assert low == {}, (name, [one["title"] for one in said["audits"].values() if one.get("score") == 0])
        assert said["audits"]["total-byte-weight"]["numericValue"] < 500_000, name
