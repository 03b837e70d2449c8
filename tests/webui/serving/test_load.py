"""A few seconds of what `python -m bench.load` does for two minutes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.load import Load
from retrieval.library import Library
from tests.webui.serving.test_processes import address, ready, started


@pytest.mark.slow
def test_users_at_once_get_answers_and_memory_stays(
    library: Library, painted: Callable[..., bytes], eventually: Any
) -> None:
    """Twelve users for four seconds, then words at a fixed rate: no error but the documented 429."""
    with started(library) as process:
        at = address(process)
        eventually(lambda: ready(at))
        load = Load(at, process.pid, [painted("red", seed=seed) for seed in range(20)], 12)
        together, steady = load.users(12, 4), load.at_rate(10, 2)
    for kind in ("words", "thumbnail", "upload"):
        statuses = json.loads(str(together[f"{kind}_statuses"]))
        assert statuses["200"] > 0
        assert statuses.keys() <= {"200", "429"}
        assert 0 < float(together[f"{kind}_ms_p50"]) <= float(together[f"{kind}_ms_p99"])
    assert json.loads(str(steady["words_statuses"])) == {"200": 20}
    assert float(together["memory_mb_end"]) < 2 * float(together["memory_mb_start"]) + 200
