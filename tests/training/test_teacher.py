"""The teacher's file is checked before any process is started."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import RetroflexError
from training.crops import plan_crops
from training.teacher import answer_crops


def test_a_file_that_is_no_classifier_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the teacher's runtime is an extra")
    broken = tmp_path / "teacher.tflite"
    broken.write_bytes(b"no model")
    plan = plan_crops(np.ones(1), 40, 4, seed=0)
    with pytest.raises(RetroflexError, match="no TFLite ImageNet classifier"):
        answer_crops(broken, tmp_path / "pixels.npy", plan, tmp_path / "answers")
