"""Where numba keeps what it compiled; import `njit` from here wherever `cache=True` is set."""

from __future__ import annotations

from numba import njit
from numba.core import config
from platformdirs import user_cache_path

__all__ = ["njit"]

# Beside the code, numba's default, may be read-only or belong to somebody else. NUMBA_CACHE_DIR is respected.
if not getattr(config, "CACHE_DIR", ""):
    config.CACHE_DIR = str(user_cache_path("retroflex", appauthor=False) / "compiled")  # type: ignore[attr-defined]
