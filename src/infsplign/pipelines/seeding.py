"""Makes all noise of a pipeline's call depend on the images' seeds, also where the pipeline gives its scheduler no generator."""

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from infsplign.engine.patching import swapped_attribute


class Drawn:
    """What became of a call's noise.

    Attributes:
        found: whether some came from torch's global generator, so that the images of a batch depend on each other; known at the end.
    """

    found = False


@contextmanager
def seeded(scheduler: Any, seeds: Sequence[int], generators: Sequence[torch.Generator]) -> Iterator[Drawn]:
    """Gives `scheduler.step` the generators where its pipeline gives none (Stable Diffusion 3, Flux), and seeds torch's global generator,
    which schedulers with a Brownian tree read; afterwards that one is as before.

    Args:
        scheduler: of the pipeline.
        seeds, generators: one for each image.
    """
    step, drawn = scheduler.step, Drawn()
    given = {"generator": list(generators) if len(generators) > 1 else generators[0]}

    @functools.wraps(step)  # pipelines read its signature
    def stepping(*args: Any, **kwargs: Any) -> Any:
        return step(*args, **given | {name: value for name, value in kwargs.items() if name != "generator" or value is not None})

    stepping = stepping if "generator" in inspect.signature(step).parameters else step
    with torch.random.fork_rng(), swapped_attribute(scheduler, "step", stepping):
        torch.manual_seed(seeds[0])
        before = torch.random.get_rng_state()
        yield drawn
        drawn.found = not torch.equal(before, torch.random.get_rng_state())
