"""What glibc does with memory that was freed. Other systems are not asked, and need not be."""

from __future__ import annotations

import ctypes

M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
"""The options' numbers in glibc's malloc.h."""
LARGE = 2**20
"""Bytes; what is larger gets pages of its own, which go back to the system when it is freed."""


def use_few_heaps() -> bool:
    """Let the threads of this process share two heaps, and keep large arrays out of them; return whether they do.

    A heap keeps what was freed below something that is not. By default glibc moves ever larger arrays there, up to 32
    MiB. Over hostile files, few heaps take a tenth off the peak of memory, and large arrays elsewhere another tenth.
    """
    return _call("mallopt", M_MMAP_THRESHOLD, LARGE) and _call("mallopt", M_ARENA_MAX, 2)


def return_freed() -> bool:
    """Give the memory that was freed back to the system, after much was; return whether there was any.

    Building an encoder leaves 50 to 80 MB, captioning a group 40 MB.
    """
    return _call("malloc_trim", 0)


def _call(function: str, *numbers: int) -> bool:
    try:
        return bool(getattr(ctypes.CDLL(None), function)(*numbers))
    except (AttributeError, OSError, TypeError):  # no glibc
        return False
