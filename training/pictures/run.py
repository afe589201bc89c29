"""What every training of the world of pictures shares: a clock, resumable checkpoints, a loss curve, averaged weights.

The learning rate follows the clock, not the step number: it warms up, stays, and falls to nothing in the last fifth of `minutes`. So
the same script fits a night on two cores and eight minutes on a GPU. What was learned before the fall is kept as `NAME-stable.pt`;
a longer training goes on from there.
"""

import argparse
import copy
import csv
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from training.pictures.optimizer import optimizers

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "cache"
RUNS = ROOT / "runs"
WEIGHTS = ROOT.parent / "models" / "src" / "infsplign_models" / "weights"
"""Of the models that ship."""
FALL = 0.2
"""Part of the minutes in which the learning rate falls."""
PART_SIZE = 15 * 2**20
"""Largest file of a checkpoint that is kept in the repository, in bytes."""


@dataclass(frozen=True)
class Clock:
    """Options of every training."""

    minutes: float
    device: str
    batch: int
    every: int

    @classmethod
    def read(cls, *, minutes: float, batch: int, every: int = 250) -> "Clock":
        parser = argparse.ArgumentParser(description="Resumes where it was interrupted.")
        parser.add_argument("--minutes", type=float, default=minutes, help="of training in all, those before an interruption counted")
        parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        parser.add_argument("--batch", type=int, default=batch)
        parser.add_argument("--every", type=int, default=every, help="steps between checkpoints")
        return cls(**vars(parser.parse_args()))


class Run:
    """A training that can be killed at any moment and goes on from its last checkpoint.

    Args:
        name: of its files.
        modules: what is trained.
        clock: how long, where, how much at once.
        lr: learning rate while it stays.
        ema: decay of the averaged weights; 0 keeps none.
        warmup: steps.
    """

    def __init__(
        self,
        name: str,
        modules: dict[str, torch.nn.Module],
        clock: Clock,
        *,
        lr: float,
        ema: float = 0.0,
        warmup: int = 200,
        weight_decay: float = 0.01,
    ) -> None:
        self.name, self.modules, self.clock, self.ema, self.warmup, self.lr = name, modules, clock, ema, warmup, lr
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        self.optimizers = optimizers(modules.values(), lr, weight_decay)
        self.averaged = {k: copy.deepcopy(m).requires_grad_(False) for k, m in modules.items()} if ema else modules
        self.step, self.seconds = 0, 0.0
        self.folder = RUNS / name
        self.folder.mkdir(parents=True, exist_ok=True)
        CACHE.mkdir(exist_ok=True)
        self._resume()

    @property
    def budget(self) -> float:
        return 60 * self.clock.minutes

    def factor(self) -> float:
        """Of the learning rate: from the step while it warms up, from the clock at the end."""
        left = 1 - self.seconds / self.budget
        return min((self.step + 1) / self.warmup, 1.0, max(0.0, left / FALL))

    def train(self, loss_of: Callable[[int], torch.Tensor], on_checkpoint: Callable[[int], None] | None = None) -> None:
        """Takes steps until the minutes are over; `loss_of` gets the step's number, which decides its batch."""
        bar = tqdm(total=round(self.budget), initial=round(self.seconds), desc=self.name, unit="s", mininterval=30)
        recent: list[torch.Tensor] = []
        falling = self.factor() < 1 and self.step > self.warmup
        while self.seconds < self.budget:
            began = time.monotonic()
            factor = self.factor()
            if factor < 1 and self.step > self.warmup and not falling:
                falling = True
                torch.save(self._state(), CACHE / f"{self.name}-stable.pt")
            for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
                group["lr"] = self.lr * factor
            torch.manual_seed(self.step)
            loss = loss_of(self.step)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            self._average()
            self.step += 1
            recent.append(loss.detach())
            if self.step % 50 == 0:
                self._log(float(torch.stack(recent).mean()))
                recent.clear()
            took = time.monotonic() - began
            self.seconds += took
            bar.update(round(self.seconds) - bar.n)
            if self.step % self.clock.every == 0:
                self.save()
                if on_checkpoint:
                    on_checkpoint(self.step)
        bar.close()
        self.save()
        if on_checkpoint:
            on_checkpoint(self.step)
        self._facts()

    @torch.no_grad()
    def _average(self) -> None:
        if not self.ema:
            return
        decay = min(self.ema, (1 + self.step) / (10 + self.step))
        for key, module in self.modules.items():
            torch._foreach_lerp_(list(self.averaged[key].parameters()), list(module.parameters()), 1 - decay)

    def _state(self) -> dict:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "modules": {k: m.state_dict() for k, m in self.modules.items()},
            "averaged": {k: m.state_dict() for k, m in self.averaged.items()},
        }

    def save(self) -> None:
        partial = CACHE / f"{self.name}.partial"
        torch.save(self._state(), partial)
        os.replace(partial, CACHE / f"{self.name}.pt")

    def _resume(self) -> None:
        path = CACHE / f"{self.name}.pt"
        if path.exists():
            state = torch.load(path, weights_only=True, map_location=self.clock.device)
        elif list(self.folder.glob("kept-*.pt")):
            state = unpacked(self.folder)
        else:
            return
        self.step, self.seconds = state["step"], state["seconds"]
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        for key, module in self.modules.items():
            module.load_state_dict(state["modules"][key])
            self.averaged[key].load_state_dict(state["averaged"][key])

    def _log(self, loss: float) -> None:
        path = self.folder / "loss.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "loss", "seconds"])
            writer.writerow([self.step, f"{loss:.6f}", f"{self.seconds:.0f}"])

    def _facts(self) -> None:
        facts = {
            "steps": self.step,
            "batch": self.clock.batch,
            "seconds": round(self.seconds),
            "device": self.clock.device,
            "machine": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "parameters": sum(p.numel() for p in self.parameters),
        }
        (self.folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


def pack(name: str) -> list[Path]:
    """Keeps the checkpoint of an unfinished training in its folder, in half precision, in parts small enough for the repository."""
    state = torch.load(CACHE / f"{name}.pt", weights_only=True, map_location="cpu")
    for part in ("modules", "averaged"):
        state[part] = {k: {n: t.half() if t.is_floating_point() else t for n, t in m.items()} for k, m in state[part].items()}
    for averages in (values for kept in state["optimizers"] for values in kept["state"].values()):
        averages.pop("momentum_buffer", None)  # it is there again after some twenty steps
        averages.update({k: t.bfloat16() for k, t in averages.items() if k != "step"})
    whole = CACHE / f"{name}.kept"
    torch.save(state, whole)
    data, folder = whole.read_bytes(), RUNS / name
    for old in folder.glob("kept-*.pt"):
        old.unlink()
    paths = []
    for k, start in enumerate(range(0, len(data), PART_SIZE)):
        paths.append(folder / f"kept-{k}.pt")
        paths[-1].write_bytes(data[start : start + PART_SIZE])
    whole.unlink()
    return paths


def unpacked(folder: Path) -> dict:
    """The checkpoint that `pack` left in a run's folder."""
    import io

    parts = sorted(folder.glob("kept-*.pt"), key=lambda path: int(path.stem.split("-")[1]))
    return torch.load(io.BytesIO(b"".join(path.read_bytes() for path in parts)), weights_only=True)


if __name__ == "__main__":  # python -m training.pictures.run pictures   keeps an unfinished training in the repository
    import sys

    print(*pack(sys.argv[1]), sep="\n")
