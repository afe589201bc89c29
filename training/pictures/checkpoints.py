"""Checkpoints of the trainings of the world of pictures: in the cache, and in the repository in parts that travel.

python -m training.pictures.checkpoints pictures      keeps the checkpoint of an unfinished training in the repository
"""

import io
import os
import sys
from pathlib import Path
from typing import Any

import torch

from training.common import CACHE, ROOT

RUNS = ROOT / "runs"
WEIGHTS = ROOT.parent / "models" / "src" / "infsplign_models" / "weights"
"""Of the models that ship."""
STABLE = "-stable"
"""After the name of a training: its checkpoint before the learning rate fell."""
PART_SIZE = 15 * 2**20
"""Largest file of a checkpoint that is kept in the repository, in bytes."""


def write(name: str, state: dict[str, Any]) -> None:
    """Writes a checkpoint; an interruption leaves the one before."""
    CACHE.mkdir(exist_ok=True)
    partial = CACHE / f"{name}.partial"
    torch.save(state, partial)
    os.replace(partial, CACHE / f"{name}.pt")


def read(name: str, device: str, *, before: float) -> dict[str, Any] | None:
    """The latest checkpoint, of the cache or else of the repository; None where there is none.

    Args:
        name: of the training.
        device: where its tensors go.
        before: seconds of training at which the learning rate is to fall. Where it had fallen earlier, the checkpoint from before that.
    """
    for path in (CACHE / f"{name}{STABLE}.pt", CACHE / f"{name}.pt"):
        if path.exists():
            state = torch.load(path, weights_only=True, map_location=device)
            if path.stem == name or state["seconds"] < before:
                return state
    parts = sorted((RUNS / name).glob("kept-*.pt"), key=lambda path: int(path.stem.split("-")[1]))
    whole = b"".join(path.read_bytes() for path in parts)
    return torch.load(io.BytesIO(whole), weights_only=True, map_location=device) if parts else None


def keep(name: str) -> list[Path]:
    """Copies the latest checkpoint into the training's folder, in half precision, in parts small enough for the repository."""
    state = torch.load(CACHE / f"{name}.pt", weights_only=True, map_location="cpu")
    for part in ("modules", "averaged"):
        state[part] = {k: {n: t.half() if t.is_floating_point() else t for n, t in m.items()} for k, m in state[part].items()}
    for averages in (values for kept in state["optimizers"] for values in kept["state"].values()):
        averages.pop("momentum_buffer", None)  # it is there again after some twenty steps
        averages.update({k: t.bfloat16() for k, t in averages.items() if k != "step"})
    whole = io.BytesIO()
    torch.save(state, whole)
    for old in (RUNS / name).glob("kept-*.pt"):
        old.unlink()
    data, paths = whole.getvalue(), []
    for k, start in enumerate(range(0, len(data), PART_SIZE)):
        paths.append(RUNS / name / f"kept-{k}.pt")
        paths[-1].write_bytes(data[start : start + PART_SIZE])
    return paths


if __name__ == "__main__":
    print(*keep(sys.argv[1]), sep="\n")
