"""Memory for decoding is shared between threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data.decoding.budget import MEMORY, SLOT, Busy, MemoryBudget

ROOT = Path(__file__).parents[3]


@pytest.fixture
def budget(tmp_path: Path) -> MemoryBudget:
    return MemoryBudget(tmp_path)


def test_sizes_are_rounded_up_and_capped(budget: MemoryBudget) -> None:
    for size, held in ((0, SLOT), (1, SLOT), (SLOT, SLOT), (SLOT + 1, 2 * SLOT), (2**50, MEMORY)):
        with budget.hold(size) as found:
            assert found == held


def test_what_is_held_together_is_never_more_than_there_is(budget: MemoryBudget) -> None:
    lock, held, most = threading.Lock(), 0, 0

    def work(size: int) -> None:
        nonlocal held, most
        for _ in range(5):
            with budget.hold(size) as found:
                with lock:
                    held += found
                    most = max(most, held)
                time.sleep(0.002)
                with lock:
                    held -= found

    threads = [threading.Thread(target=work, args=(size * SLOT,)) for size in (1, 3, 7, 20, 12, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 12 * SLOT <= most <= MEMORY
    assert held == 0


def test_many_small_ones_do_not_keep_a_large_one_waiting(budget: MemoryBudget) -> None:
    stop = threading.Event()

    def small() -> None:
        while not stop.is_set():
            with budget.hold(SLOT):
                time.sleep(0.01)

    threads = [threading.Thread(target=small) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        with budget.hold(MEMORY, 5) as held:
            assert held == MEMORY
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_waiting_ends(budget: MemoryBudget) -> None:
    with budget.hold(MEMORY - SLOT), budget.hold(SLOT, 0.1):
        began = time.monotonic()
        with pytest.raises(Busy), budget.hold(1, 0.1):
            pass
        assert time.monotonic() - began >= 0.1
    with budget.hold(MEMORY, 0) as held:
        assert held == MEMORY


def test_what_a_killed_process_held_is_free(budget: MemoryBudget, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from data.decoding.budget import *\n"
        "with MemoryBudget(Path(sys.argv[1])).hold(MEMORY): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(Busy), budget.hold(1, 0.05):
        pass
    other.kill()
    other.wait()
    with budget.hold(MEMORY, 1) as held:
        assert held == MEMORY


def test_an_error_frees_it(budget: MemoryBudget) -> None:
    with pytest.raises(KeyError), budget.hold(MEMORY):
        raise KeyError
    with budget.hold(MEMORY, 0):
        pass
