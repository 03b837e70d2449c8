"""All readings pass through in order, with their descriptions."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from captioner.encoders.base import Features
from captioner.pipeline import (
    BATCH,
    GROUP,
    SPARSE,
    Chunk,
    Flow,
    ThreadExecutor,
    VectorDescriber,
    as_row,
    describe_now,
    in_groups,
    read_files,
    regroup,
)
from captioner.reading import Reading
from captioner.types import Caption, Description
from tests.conftest import draw_picture
from tests.tiny_encoder import MeanColour


class Namer:
    """Captions a square by its first pixel; records how many pictures it gets at once."""

    model_version, input_side = "namer-1", 1

    def __init__(self) -> None:
        self.encoded: list[int] = []
        self.captioned: list[int] = []

    def encode(self, pictures: np.ndarray) -> Features:
        self.encoded.append(len(pictures))
        return Features(pictures.reshape(len(pictures), -1).astype(np.float32))

    def caption(self, features: Features) -> list[Description]:
        self.captioned.append(len(features.vectors))
        return [Description([Caption(str(int(one[0])), -1.0)], {"namer": one}) for one in features.vectors]

    def describe(self, pictures: np.ndarray) -> list[Description]:
        return self.caption(self.encode(pictures))


def read(group: Sequence[int]) -> list[Reading[int]]:
    """Odd numbers have a picture."""
    return [Reading(one, np.full((1, 1, 3), one % 256, np.uint8) if one % 2 else None) for one in group]


@pytest.mark.parametrize("count", [0, 1, 31, 500])
def test_every_source_comes_out_once_in_order(count: int) -> None:
    namer, numbers = Namer(), list(range(count))
    groups = list(ThreadExecutor().describe(in_groups(numbers), read, namer))
    flat = [one for group in groups for one in group]
    assert [number for number, _ in flat] == numbers
    for number, description in flat:
        expected = [str(number % 256)] if number % 2 else None
        assert (description and [one.text for one in description.captions]) == expected
    assert sum(namer.captioned) == count // 2


def test_batches_are_full_despite_bad_sources() -> None:
    namer = Namer()
    list(ThreadExecutor().describe(in_groups(list(range(4 * GROUP))), read, namer))
    assert set(namer.encoded[:-1]) == {BATCH}
    assert min(namer.captioned[:-1]) >= GROUP


def test_a_describer_may_say_how_many_it_captions_at_once() -> None:
    namer = Namer()
    namer.group = 2 * BATCH  # type: ignore[attr-defined]
    list(ThreadExecutor().describe(in_groups(list(range(8 * GROUP))), read, namer))
    assert set(namer.captioned) == {2 * BATCH}


def test_sparse_groups_are_not_delayed() -> None:
    known = [Chunk([Reading(number) for number in range(start, start + BATCH)]) for start in range(0, 1000, BATCH)]
    first = next(regroup(iter(known), lambda: BATCH))
    assert len(first.readings) == SPARSE * BATCH


def test_leaving_early_ends_the_threads() -> None:
    before = threading.active_count()
    for _ in ThreadExecutor().describe(in_groups(list(range(10_000))), read, Namer()):
        break
    assert threading.active_count() <= before + 6  # those that finish what they had begun


class Slow(Namer):
    """Encodes a picture at a time, as Captioner does on a CPU, and stops the flow at the tenth."""

    step = 1

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow, self.told = flow, 0

    def encode(self, pictures: np.ndarray) -> Features:
        if len(self.encoded) == 9:
            self.told = self.flow.stop()
        return super().encode(pictures)


def test_a_stopped_flow_yields_what_was_being_encoded_and_no_more() -> None:
    flow = Flow()
    slow = Slow(flow)
    groups: list[tuple[int, Description | None]] = []
    numbers = in_groups([2 * number + 1 for number in range(400)])
    with pytest.raises(KeyboardInterrupt):
        groups.extend(one for group in ThreadExecutor(flow).describe(numbers, read, slow) for one in group)
    described = [number for number, description in groups if description is not None]
    assert len(described) == len(groups) == len(slow.encoded) == slow.told
    assert 10 <= len(described) <= 12
    assert flow.pending == 0
    assert not flow.begin(1)


def test_a_flow_sees_each_picture_and_each_source() -> None:
    class Watched(Namer):
        step = 1
        seen: ClassVar[list[int]] = []

        def encode(self, pictures: np.ndarray) -> Features:
            self.seen.append(flow.encoded)
            return super().encode(pictures)

    flow = Flow()
    list(ThreadExecutor(flow).describe([range(20)], read, Watched()))
    assert Watched.seen == list(range(10, 20)), "ten sources have no picture, the others count one by one"
    assert (flow.encoded, flow.pending, flow.stopping) == (20, 0, False)


def test_a_failure_reaches_the_caller() -> None:
    class Failing(Namer):
        def encode(self, pictures: np.ndarray) -> Features:
            raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        list(ThreadExecutor().describe(in_groups(list(range(100))), read, Failing()))


def test_files_are_read_as_squares_and_bad_ones_named(tmp_path: Path) -> None:
    good, bad = draw_picture(tmp_path / "good.png", "red"), tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    described = describe_now(
        [bad, good], lambda paths: read_files(paths, MeanColour.side), VectorDescriber(MeanColour())
    )
    assert [(file.path, file.problem) for file, _ in described] == [
        (bad, "is not a picture in a supported format"),
        (good, ""),
    ]
    assert described[0][1] is None
    assert described[1][1] is not None
    row = as_row("digest", MeanColour.model_version, described[1][1])
    assert (row.captions, set(row.vectors)) == (None, {MeanColour.name})
