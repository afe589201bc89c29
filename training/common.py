"""What every training run shares: resumable checkpoints, a loss log, averaged weights, a cosine learning rate."""

import copy
import csv
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from tqdm import tqdm

from training.muon import Muon

ROOT = Path(__file__).parent
MODELS = ROOT.parent / "models" / "src" / "infsplign_models" / "weights" / "shapes"
"""Of the models of the shapes world."""
CACHE = ROOT / "cache"
KEPT = "checkpoint.pt"
"""In a run's folder: half-precision copy of an unfinished run, for going on with it on another machine."""


def cosine(step: int, total: int, warmup: int = 100) -> float:
    """Learning-rate factor: linear warm-up, then half a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup))))


class Run:
    """A training run that can be killed at any moment and goes on from its last checkpoint.

    `loss_of(step)` computes the loss of one batch; the batch must depend on `step` alone, so that a resumed run sees the
    batches it would have seen.
    """

    def __init__(
        self,
        name: str,
        modules: dict[str, torch.nn.Module],
        *,
        steps: int,
        lr: float,
        seed: int = 0,
        ema: float = 0.0,
        weight_decay: float = 0.01,
        every: int = 250,
        rate: Callable[[int], float] | None = None,
        muon: bool = False,
    ) -> None:
        self.folder = ROOT / "runs" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.modules, self.steps, self.every, self.ema_decay, self.seed = modules, steps, every, ema, seed
        self.parameters = [p for m in modules.values() for p in m.parameters() if p.requires_grad]
        matrices = _inner_matrices(modules.values()) if muon else []
        held = {id(p) for p in matrices}
        rest = [p for p in self.parameters if id(p) not in held]
        self.optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=lr, weight_decay=weight_decay, betas=(0.9, 0.99))]
        if muon:
            self.optimizers.append(Muon(matrices, lr=2 * lr, weight_decay=weight_decay))
        rate = rate or (lambda s: cosine(s, steps))
        self.schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, rate) for optimizer in self.optimizers]
        self.averaged = {k: copy.deepcopy(m).requires_grad_(False) for k, m in modules.items()} if ema else modules
        self.step, self.seconds = 0, 0.0
        self.checkpoint = CACHE / f"{name}.pt"
        CACHE.mkdir(exist_ok=True)
        for path in (self.checkpoint, self.folder / KEPT):
            if path.exists():
                self._load(path)
                break

    def _state(self) -> dict:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedules": [schedule.state_dict() for schedule in self.schedules],
            "modules": {k: m.state_dict() for k, m in self.modules.items()},
            "averaged": {k: m.state_dict() for k, m in self.averaged.items()},
        }

    def _load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.step, self.seconds = state["step"], state["seconds"]
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        for schedule, kept in zip(self.schedules, state["schedules"], strict=True):
            schedule.load_state_dict(kept)
        for key, module in self.modules.items():
            module.load_state_dict(state["modules"][key])
            self.averaged[key].load_state_dict(state["averaged"][key])

    def save(self) -> None:
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(self._state(), partial)
        os.replace(partial, self.checkpoint)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step))
        for key, module in self.modules.items():
            for mean, now in zip(self.averaged[key].parameters(), module.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)

    def train(self, loss_of: Callable[[int], dict[str, torch.Tensor]], on_checkpoint: Callable[[int], None] | None = None) -> None:
        bar = tqdm(total=self.steps, initial=self.step, desc=self.folder.name, mininterval=5)
        recent: list[float] = []
        while self.step < self.steps:
            began = time.monotonic()
            torch.manual_seed(self.seed * 1_000_003 + self.step)
            losses = loss_of(self.step)
            losses["loss"].backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
            for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
            if self.ema_decay:
                self._average()
            self.step += 1
            self.seconds += time.monotonic() - began
            recent.append(float(losses["loss"].detach()))
            bar.update()
            if self.step % 50 == 0:
                log_loss(self.folder, self.step, sum(recent) / len(recent), self.seconds)
                recent.clear()
            if self.step % self.every == 0 or self.step == self.steps:
                self.save()
                if on_checkpoint:
                    on_checkpoint(self.step)
        bar.close()

    def write_facts(self) -> None:
        """Leaves in the run's folder what it took."""
        write_facts(self.folder, self.parameters, steps=self.steps, seed=self.seed, seconds=round(self.seconds))


def log_loss(folder: Path, step: int, loss: float, seconds: float) -> None:
    """Adds a row to the loss curve of a run. Rows of this step and of later ones, which an interrupted run has left, go."""
    path = folder / "loss.csv"
    rows = list(csv.reader(path.open(newline=""))) if path.exists() else [["step", "loss", "seconds"]]
    rows = [rows[0], *(row for row in rows[1:] if int(row[0]) < step), [str(step), f"{loss:.6f}", f"{seconds:.0f}"]]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def write_facts(folder: Path, parameters: Iterable[torch.nn.Parameter], **facts: object) -> None:
    """Leaves in the folder of a run what it took, and where."""
    facts |= {
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in parameters),
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


def _inner_matrices(modules: Iterable[torch.nn.Module]) -> list[torch.nn.Parameter]:
    """Weights of attention and feed-forward inside the blocks: what `Muon` is for. Modulation, embeddings and both ends are AdamW's."""
    inside = ("transformer_blocks.", "layers.", "block.")
    return [
        linear.weight
        for module in modules
        for name, linear in module.named_modules()
        if isinstance(linear, torch.nn.Linear) and any(part in name for part in inside) and "norm" not in name
    ]


def batches(count: int, size: int, seed: int, step: int) -> torch.Tensor:
    """Row numbers of the batch at `step`: every epoch is a fresh permutation, and depends on the seed and step alone."""
    per_epoch = count // size
    epoch, place = divmod(step, per_epoch)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed * 7919 + epoch))
    return order[place * size : (place + 1) * size]


def chunks(total: int, size: int) -> Iterator[range]:
    for start in range(0, total, size):
        yield range(start, min(start + size, total))


def averaged_parts(run: Run, dtype: torch.dtype) -> dict[str, torch.nn.Module]:
    """The averaged weights, ready to be saved as parts of a pipeline."""
    return {k: copy.deepcopy(m).to(dtype).eval() for k, m in run.averaged.items()}


def keep(name: str) -> Path:
    """Copies the checkpoint of an unfinished run into its folder: weights in float16, the optimizer's averages in bfloat16."""
    state = torch.load(CACHE / f"{name}.pt", weights_only=True)
    for part in ("modules", "averaged"):
        state[part] = {k: {n: t.half() if t.is_floating_point() else t for n, t in m.items()} for k, m in state[part].items()}
    for optimizer in state["optimizers"]:
        for averages in optimizer["state"].values():
            averages.update({k: t.bfloat16() for k, t in averages.items() if k != "step"})
    target = ROOT / "runs" / name / KEPT
    torch.save(state, target)
    return target


if __name__ == "__main__":  # python -m training.common pixart
    print(keep(sys.argv[1]))


def load_vae(dtype: torch.dtype, *, flow: bool = False) -> AutoencoderKL:
    """Loads the autoencoder of the shapes world; `flow` pipelines need a shift of the latents, here 0."""
    vae = AutoencoderKL.from_pretrained(MODELS / "vae", dtype=dtype, local_files_only=True)
    if flow:
        vae.register_to_config(shift_factor=0.0)
    return vae
