"""A sampler whose images depend on everything that they may depend on: seed, text, options and neighbours in the batch.

True models depend on their neighbours by rounding alone, in the last bits and not always. Here a wrong neighbour changes every pixel.
"""

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.running.sampler import LoadedSampler


@dataclass(frozen=True)
class Listed:
    id: str
    text: str


LISTED = [Listed(str(10 * n), f"a cat {n} to the left of a dog") for n in range(12)]


class NoiseSampler:
    """Attributes:
    room: images that memory has room for.
    bad: texts that cannot be made.
    seconds: that a call takes.
    dies_at: number of the call that is interrupted.
    """

    def __init__(self, *, room=100, bad=(), seconds=0.0, dies_at=None):
        self.room, self.bad, self.seconds, self.dies_at, self.calls = room, set(bad), seconds, dies_at, []

    def settings(self):
        return {"model": "noise"}

    def __call__(self, texts, seeds, config):
        if len(self.calls) == self.dies_at:
            raise KeyboardInterrupt
        self.calls.append(list(texts))
        time.sleep(self.seconds)
        if len(texts) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 MiB")
        if self.bad & set(texts):
            raise ValueError("a bad prompt")
        neighbours = repr((texts, seeds, config and config.scale))
        return [noise(f"{neighbours} {place}") for place in range(len(texts))]


def noise(text: str) -> Image.Image:
    data = b"".join(hashlib.sha256(f"{text} {row}".encode()).digest()[:24] for row in range(8))
    return Image.frombytes("RGB", (8, 8), data)


@dataclass(frozen=True)
class Dying:
    """Builds, in a worker, a sampler that dies with its process when `folder` says so.

    Files named by the id of a prompt: `once-ID` is taken away before, `always-ID` is not, and `lost-ID` is a device that is lost.
    `loading` and `loading-always` do the same while the model is loaded; `broken` is an error of the loading itself.
    """

    folder: str
    broken: bool = False

    def __call__(self):
        if self.broken:
            raise OSError("no such model")
        for name in ("loading", "loading-always"):
            if (path := Path(self.folder) / name).exists():
                if name == "loading":
                    path.unlink(missing_ok=True)
                os.kill(os.getpid(), signal.SIGKILL)
        return LoadedSampler(DyingSampler(Path(self.folder)), GuidanceConfig(scale=5.0), GuidanceConfig())


class DyingSampler(NoiseSampler):
    def __init__(self, folder):
        super().__init__(seconds=0.02)
        self.folder = folder

    def __call__(self, texts, seeds, config):
        with (self.folder / "pids").open("a") as file:
            file.write(f"{os.getpid()}\n")
        for prompt in LISTED:
            once, always, lost = (self.folder / f"{name}-{prompt.id}" for name in ("once", "always", "lost"))
            if prompt.text in texts and (once.exists() or always.exists()):
                once.unlink(missing_ok=True)
                os.kill(os.getpid(), signal.SIGKILL)
            if prompt.text in texts and lost.exists():
                lost.unlink()
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return super().__call__(texts, seeds, config)
