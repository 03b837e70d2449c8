"""Compiled code is kept where caches go, whoever owns the program's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from data.jpeg.header import _skips; print(_skips.stats.cache_path)"


@pytest.mark.parametrize(
    ("variable", "folder"), [("XDG_CACHE_HOME", "retroflex/compiled/jpeg_"), ("NUMBA_CACHE_DIR", "jpeg_")]
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_compiled_code_is_kept_where_caches_go(tmp_path: Path, variable: str, folder: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment | {variable: str(tmp_path)}, capture_output=True, check=True
    )
    assert done.stdout.decode().startswith(f"{tmp_path}/{folder}")
