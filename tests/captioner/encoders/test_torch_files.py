"""PyTorch files: tensors come back as they were, and nothing else that a pickle can do is done."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captioner.encoders.torch_files import MAGIC, PROTOCOL, read_tensors
from data.errors import RetroflexError
from tests.captioner.encoders.torch_writer import write_torch

TENSORS = {
    "whole": np.arange(12, dtype=np.float32).reshape(3, 4),
    "count": np.array([7], np.int64),
}


def test_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    read = read_tensors(write_torch(tmp_path / "a.pth", TENSORS))
    assert read.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(read[name], value)
        assert read[name].dtype == value.dtype


class _Run:
    """Unpickled by PyTorch's or Python's own reader, it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._path}",)


def test_a_program_in_the_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    file = write_torch(tmp_path / "a.pth", TENSORS, _Run(tmp_path / "made"))
    with pytest.raises(RetroflexError, match=r"a\.pth is refused: it wants to use posix\.system"):
        read_tensors(file)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no PyTorch file"),
        (b"PK\x03\x04 and so on", "is no PyTorch file"),
        (pickle.dumps(frozenset({1}), 4), "has the step FRAME"),
        (pickle.dumps(1, 2) * 2, "does not begin as PyTorch files"),
        (
            b"".join(pickle.dumps(one, 2) for one in (MAGIC, PROTOCOL, {}, {"a": 1}, [])),
            "does not hold a dictionary of tensors",
        ),
    ],
)
def test_another_content_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "a.pth"
    file.write_bytes(content)
    with pytest.raises(RetroflexError, match=said):
        read_tensors(file)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_torch(tmp_path / "a.pth", TENSORS).read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "a.pth").write_bytes(whole[:length])
        with pytest.raises(RetroflexError):
            read_tensors(tmp_path / "a.pth")


def test_a_tensor_beyond_its_numbers_is_refused(tmp_path: Path) -> None:
    wide = np.lib.stride_tricks.as_strided(TENSORS["whole"], (3, 4), (16, 4))
    file = write_torch(tmp_path / "a.pth", {"a": wide})
    content = file.read_bytes().replace(b"K\x03K\x04\x86", b"K\x03K\x05\x86", 1)
    file.write_bytes(content)
    with pytest.raises(RetroflexError, match="reaches beyond its numbers"):
        read_tensors(file)
    with pytest.raises(RetroflexError, match="cannot be read"):
        read_tensors(tmp_path / "none.pth")
