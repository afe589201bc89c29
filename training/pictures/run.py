"""What every training of the world of pictures shares: a clock, resumable checkpoints, a loss curve, averaged weights.

The learning rate follows the clock, not the step number: it warms up, stays, and falls to nothing in the last fifth of `minutes`. So
the same script fits a night on two cores and eight minutes on a GPU. What was learned before the fall is kept: a training with more
`minutes` goes on from there.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from tqdm import tqdm

from training.common import log_loss, write_facts
from training.pictures import checkpoints
from training.pictures.optimizer import optimizers

FALL = 0.2
"""Part of the minutes in which the learning rate falls."""


@dataclass(frozen=True)
class Clock:
    """Options of every training.

    Attributes:
        minutes: of training in all.
        device: a torch device.
        batch: pictures a step.
        every: steps between checkpoints.
        chosen: the further options of this training that were given.
    """

    minutes: float
    device: str
    batch: int
    every: int
    chosen: frozenset[str] = frozenset()

    @classmethod
    def read(cls, *, minutes: float, batch: int, every: int = 250, **more: str) -> "Clock":
        """Reads the command line; `more` are names of further options and what they do."""
        parser = argparse.ArgumentParser(description="Resumes where it was interrupted.")
        parser.add_argument("--minutes", type=float, default=minutes, help="of training in all, those before an interruption counted")
        parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        parser.add_argument("--batch", type=int, default=batch)
        parser.add_argument("--every", type=int, default=every, help="steps between checkpoints")
        for name, text in more.items():
            parser.add_argument(f"--{name}", action="append_const", const=name, dest="chosen", help=text)
        options = vars(parser.parse_args())
        return cls(**options | {"chosen": frozenset(options.get("chosen") or ())})


class Run:
    """A training that can be killed at any moment and goes on from its last checkpoint.

    Args:
        name: of its files.
        modules: what is trained.
        clock: how long, where, how much at once.
        lr: learning rate while it stays.
        ema: decay of the averaged weights; 0 keeps none.
        warmup: steps.
        onward: whether the modules come from weights that ship under this name; the loss curve then goes on behind theirs.
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
        onward: bool = False,
    ) -> None:
        self.name, self.modules, self.clock, self.ema, self.warmup, self.lr = name, modules, clock, ema, warmup, lr
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        self.optimizers = optimizers(modules.values(), lr, weight_decay)
        self.averaged = {k: copy.deepcopy(m).requires_grad_(False) for k, m in modules.items()} if ema else modules
        self.step, self.seconds = 0, 0.0
        self.folder = checkpoints.RUNS / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.earlier = {"steps": 0, "seconds": 0}
        if onward:
            facts = json.loads((self.folder / "facts.json").read_text("utf-8"))
            self.earlier = {key: facts[key] for key in self.earlier}
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
                checkpoints.write(self.name + checkpoints.STABLE, self._state())
            for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
                group["lr"] = self.lr * factor
            torch.manual_seed(self.step + self.earlier["steps"])
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
                step, seconds = self.step + self.earlier["steps"], self.seconds + self.earlier["seconds"]
                log_loss(self.folder, step, float(torch.stack(recent).mean()), seconds)
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
        done = {"steps": self.step + self.earlier["steps"], "seconds": round(self.seconds + self.earlier["seconds"])}
        write_facts(self.folder, self.parameters, **done, batch=self.clock.batch, device=self.clock.device)

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
            "earlier": self.earlier,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "modules": {k: m.state_dict() for k, m in self.modules.items()},
            "averaged": {k: m.state_dict() for k, m in self.averaged.items()},
        }

    def save(self) -> None:
        checkpoints.write(self.name, self._state())

    def _resume(self) -> None:
        state = checkpoints.read(self.name, self.clock.device, before=(1 - FALL) * self.budget)
        if state is None:
            return
        self.step, self.seconds, self.earlier = state["step"], state["seconds"], state["earlier"]
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        for key, module in self.modules.items():
            module.load_state_dict(state["modules"][key])
            self.averaged[key].load_state_dict(state["averaged"][key])
