"""Kills runs with SIGKILL and lets them go on: `python -m tests.evaluation.running.killing moments|times|shipped FOLDER`.

A process of its own, which forks each run: so nothing is imported twice, and no thread is lost by forking. Prints what it found as JSON.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from tqdm import tqdm

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import files
from infsplign.evaluation.running.images_run import make_benchmark
from tests.evaluation.noise import LISTED, NoiseSampler
from tests.evaluation.stub import contents

tqdm.set_lock(threading.RLock())  # tqdm's own is shared by forked processes: one that is killed with it in hand locks all others out
tqdm.monitor_interval = 0  # no thread that could hold it while a process is forked

METHODS = {"unguided": None, "infsplign": GuidanceConfig(stop=0.5)}


def make(out: Path, sampler, prompts, images: int = 2) -> None:
    make_benchmark("sr2d", prompts, sampler, out, images=images, methods=METHODS, batch=4, progress=False)


def forked(work) -> int:
    """Starts a process that does `work` and no more."""
    if child := os.fork():
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def finished(child: int) -> bool:
    """Waits; whether it ended by itself. Any end but that and SIGKILL is a failure of the run."""
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, f"the run failed, status {status}"
    return True


class Moments:
    """Kills this process at one moment of its writing: half a file, half a line, before and after a file gets its name."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.replace, self.put, self.add = os.replace, files._put, files._add
        files.os.replace, files._put, files._add = self._replace, self._put, self._add  # type: ignore[assignment]

    def now(self) -> bool:
        self.left -= 1
        return self.left < 0

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _replace(self, source, target):
        if self.now():
            self.die()
        self.replace(source, target)
        if self.now():
            self.die()

    def _put(self, path, data):
        if self.now():
            self.put(path, data[: len(data) // 2])
            self.die()
        self.put(path, data)

    def _add(self, path, data):
        for cut in (len(data) // 3, len(data) - 1, len(data)):
            if self.now():
                self.add(path, data[:cut])
                self.die()
        self.add(path, data)


def moments(folder: Path) -> dict:
    """A run killed at each moment of its writing, one after the other, and gone on with each time."""
    prompts = LISTED[:3]
    make(folder / "whole", NoiseSampler(), prompts)
    wanted, different = contents(folder / "whole"), []
    for number in range(1000):
        out = folder / f"cut{number}"

        def cut(out=out, number=number):
            Moments(number)
            make(out, NoiseSampler(), prompts)

        if finished(forked(cut)):
            break
        make(out, NoiseSampler(), prompts)
        if contents(out) != wanted:
            different.append(number)
    return {"kills": number, "different": different}


def times(folder: Path) -> dict:
    """One run killed at random times, as often as it takes to get through."""
    make(folder / "whole", NoiseSampler(), LISTED, 4)
    rng, kills, lost, there = random.Random(0), 0, 0, 0
    while True:
        child = forked(lambda: make(folder / "cut", NoiseSampler(seconds=0.05), LISTED, 4))  # ten kills and more, also on a slow machine
        if kills < 100:  # then let it through, however slow the machine
            time.sleep(rng.uniform(0.0, 0.2))
            os.kill(child, signal.SIGKILL)
        if finished(child):
            break
        kills += 1
        now = sum(line.endswith("}\n") for path in folder.glob("cut/*.jsonl") for line in path.open())
        lost, there = lost + (now < there), now
    return {"kills": kills, "lost": lost, "equal": contents(folder / "cut") == contents(folder / "whole")}


def shipped(folder: Path) -> dict:
    """The shipped model, two steps, killed when so many images are there."""
    import torch

    from infsplign.evaluation.prompts.world_prompts import prompts
    from infsplign.evaluation.running.sampler import PipelineSampler
    from infsplign.shipped import load

    torch.set_num_threads(1)  # a fork has no other threads
    sampler, listed = PipelineSampler(load("shapes"), steps=2, guidance_scale=5.0), prompts("tune", 5)
    kills = 0
    for number in (0, 1, 5, 8, 13):
        child = forked(lambda: make(folder / "cut", sampler, listed))
        while len(list(folder.glob("cut/*/*.png"))) < number and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        kills += not finished(child)
    for out in ("cut", "whole"):
        assert finished(forked(lambda out=out: make(folder / out, sampler, listed)))
    return {"kills": kills, "equal": contents(folder / "cut") == contents(folder / "whole"), "files": len(contents(folder / "whole"))}


if __name__ == "__main__":
    print(json.dumps({"moments": moments, "times": times, "shipped": shipped}[sys.argv[1]](Path(sys.argv[2]))))
