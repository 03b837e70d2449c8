"""Train the autoencoder on a folder of pictures; a stopped run resumes after the last whole epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree

import numpy as np

from captioner.encoders.autoencoder import NAME, SIDE
from captioner.encoders.weights import weights_key
from data.errors import RetroflexError
from data.paths import display
from data.progress import progress_bar
from training.autoencoder.model import build_autoencoder, encoder_weights
from training.checkpoints import restore_state, save_state, save_tensors, save_text
from training.evaluation.folders import draw, pictures_below
from training.features import encode_files

FEWEST, MOST = 50, 20_000
"""Pictures without which there is nothing to learn, and how many are drawn from a larger folder."""


@dataclass(frozen=True)
class Settings:
    """`epochs` over the pictures, in batches of `batch`; `seed` is that of weights, order and sampling."""

    epochs: int = 30
    batch: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """The file of weights, the number of pictures, the mean loss of the last epoch, and problems with pictures."""

    file: Path
    pictures: int
    loss: float
    problems: Sequence[str]


def train(folder: Path, out: Path, settings: Settings) -> Trained:
    """Train on the pictures at any depth of `folder`; write weights to `out`, and beside them JSON on their making.

    Work in progress is kept in a folder beside `out` until that is written. Raises RetroflexError for a folder that is
    missing or has too few pictures, or OSError.
    """
    files = _files(folder, settings.seed)
    work = out.with_suffix(".training")
    work.mkdir(parents=True, exist_ok=True)
    names = json.dumps([asdict(settings), *map(display, files)])
    run = work / hashlib.sha256(names.encode()).hexdigest()[:16]
    run.mkdir(exist_ok=True)
    squares, problems = _squares(files, run / "squares.npz")
    if len(squares) < FEWEST:
        rmtree(work, ignore_errors=True)
        raise RetroflexError(_too_few(folder, len(squares), problems))
    model, loss = build_autoencoder(settings.seed), float("nan")
    done = restore_state(model, run / "state.safetensors")
    for epoch in range(done, settings.epochs):
        loss = _epoch(model, squares, settings, epoch)
        save_state(model, epoch + 1, run / "state.safetensors")
        save_text(json.dumps(loss), run / "loss.json")
    loss = float(json.loads((run / "loss.json").read_text()))
    weights = encoder_weights(model)
    made_by = {"pictures": len(squares), "loss": round(loss, 3), **asdict(settings)}
    document = {"model_version": f"{NAME}-{weights_key(weights)[:12]}", "kind": NAME, "made_by": made_by}
    save_tensors(weights, out)
    save_text(json.dumps(document, indent=2) + "\n", out.with_suffix(".json"))
    rmtree(work, ignore_errors=True)
    return Trained(out, len(squares), loss, problems)


def _files(folder: Path, seed: int) -> list[Path]:
    if not folder.is_dir():
        raise RetroflexError(f"{display(folder)}: no such folder; give one of pictures with --pictures")
    files = draw(pictures_below(folder), MOST, np.random.default_rng(seed))
    if len(files) < FEWEST:
        raise RetroflexError(_too_few(folder, len(files), []))
    return files


def _too_few(folder: Path, count: int, problems: Sequence[str]) -> str:
    unread = f" ({len(problems)} cannot be read: {problems[0]})" if problems else ""
    return f"{display(folder)} has {count} pictures{unread}; an autoencoder needs {FEWEST} at least, better a thousand"


def _squares(files: Sequence[Path], kept: Path) -> tuple[np.ndarray, list[str]]:
    """Return the pictures, uint8 (n, SIDE, SIDE, 3), decoded now or in the run that was stopped, and problems."""
    if kept.exists():
        with np.load(kept) as stored:
            return stored["squares"], stored["problems"].tolist()
    read = encode_files(lambda pictures: pictures.reshape(len(pictures), -1), SIDE, files, "reading pictures")
    squares = read.values.reshape(-1, SIDE, SIDE, 3).astype(np.uint8)
    beside = kept.with_suffix(".tmp.npz")
    np.savez(beside, squares=squares, problems=np.array(read.problems, np.str_))
    beside.replace(kept)
    return squares, read.problems


def _epoch(model: object, squares: np.ndarray, settings: Settings, epoch: int) -> float:
    """Train on every picture once, half of them mirrored; return the mean loss."""
    random = np.random.default_rng((settings.seed, epoch))
    order, losses = random.permutation(len(squares)), list[float]()
    title = f"epoch {epoch + 1} of {settings.epochs}"
    with progress_bar(total=len(order), desc=title, unit="pic", leave=False) as bar:
        for start in range(0, len(order), settings.batch):
            rows = order[start : start + settings.batch]
            batch = squares[rows].astype(np.float32) / 255
            mirrored = random.random(len(rows)) < 0.5
            batch[mirrored] = batch[mirrored, :, ::-1]
            losses += [float(model.train_on_batch(batch, batch))] * len(rows)  # type: ignore[attr-defined]
            bar.update(len(rows))
            bar.set_postfix(loss=f"{np.mean(losses):.1f}")
    return float(np.mean(losses))
