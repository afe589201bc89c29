"""Ranks seeds: runs a few steps from each seed and compares the losses of their attention."""

import functools
import operator
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean as mean
from typing import Any, NamedTuple

import torch

from infsplign.adapters.text import signature_default
from infsplign.engine.config import GuidanceConfig
from infsplign.engine.patching import swapped_attribute
from infsplign.engine.trace import StepTrace
from infsplign.pipelines.guide import guide


class Start(NamedTuple):
    """The loss of one seed after a few steps.

    Attributes:
        seed: of `torch.Generator("cpu")`.
        loss: mean loss of the guidance over these steps, without the first; lower is better.
        terms: each loss term, averaged in the same way.
    """

    seed: int
    loss: float
    terms: dict[str, float]


def rank_seeds(
    pipe: Any,
    prompt: str,
    seeds: Sequence[int],
    *,
    steps: int = 4,
    config: GuidanceConfig | None = None,
    relations: Any = None,
    **call: Any,
) -> list[Start]:
    """Runs the first steps of `prompt` from each seed, all in one batch but where `call` has an image, and ranks the seeds by their loss.

    Afterwards sample the best seed with the same guidance:

        best = rank_seeds(pipe, prompt, range(4))[0]
        with guide(pipe, prompt):
            image = pipe(prompt, generator=torch.Generator("cpu").manual_seed(best.seed)).images[0]

    It costs `len(seeds) * steps` guided steps, see `starts_cost`.

    Args:
        pipe: a stock diffusers pipeline of a supported family.
        prompt: the prompt.
        seeds: at least one.
        steps: number of steps to run from each seed, >= 1, within the guided part.
        config, relations: as in `guide`.
        **call: further arguments of the pipeline's call, such as `num_inference_steps`; the same as in the call that follows.

    Returns:
        All seeds, the best first.

    Raises:
        ValueError: no seed, `steps` out of range, options that guide none of the first `steps` steps, or an argument of the call that this
            function gives itself.
        TypeError: `seeds` are no list of whole numbers, or `prompt` is no single prompt.
    """
    seeds = _whole(seeds)
    if not seeds:
        raise ValueError("`seeds` must hold at least one seed, got none")
    if not isinstance(prompt, str):
        raise TypeError(f"`prompt` must be one prompt, got {prompt!r:.100}; rank the seeds of each prompt by itself")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"`steps` must be >= 1, got {steps!r}")
    for name in ("prompt", "generator", "num_images_per_prompt", "output_type"):
        if name in call:
            raise ValueError(f"`rank_seeds` gives {name!r} itself; leave it out, and give it in the call that makes the picture")
    if call.get("latents") is not None:
        raise ValueError("`latents` are drawn from the seeds that are ranked: leave them out, or compare them by the trace of `guide`")
    guidance = guide(pipe, prompt, relations=relations, config=config)
    if guidance.config.scale == 0 or guidance.config.start == guidance.config.stop:
        guidance.dismiss()
        raise ValueError(f"`config` must guide some steps, since seeds are ranked by the loss of guidance; got {_idle(guidance.config)}")
    # pipelines encode one image with the first seed for all rows, and then draw other noise than a call of one seed would
    before = torch.random.get_rng_state()
    parts, found = ([seeds] if call.get("image") is None else [[seed] for seed in seeds]), list[Start]()
    for part in parts:
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in part]
        with guidance, _only(pipe, steps):
            pipe(prompt=prompt, num_images_per_prompt=len(part), generator=generators, output_type="latent", **call)
        looked = [step for step in guidance.trace if step.terms]
        if not looked:
            begins = f"it begins at {guidance.config.start:g} of the steps"
            raise ValueError(f"`steps` must reach the guided part of the sampling, got {steps}; {begins}")
        found += _starts(part, looked[1:] or looked)
    if not torch.equal(before, torch.random.get_rng_state()):
        warnings.warn(
            f"{type(pipe.scheduler).__name__} draws noise from torch's global generator, since {type(pipe).__name__} gives it none: the "
            "call that follows has other noise than the one that was ranked, unless `torch.manual_seed` comes before each", stacklevel=2,
        )  # fmt: skip
    return sorted(found, key=lambda start: start.loss)


def starts_cost(pipe: Any, starts: int, *, steps: int = 4, num_inference_steps: int | None = None) -> float:
    """Computes the cost of `rank_seeds`, in images guided at every step: `starts * steps / num_inference_steps`.

    Args:
        pipe: its default number of steps is used if `num_inference_steps` is None.
        starts: number of seeds.
        steps: of each seed.
        num_inference_steps: of an image.

    >>> starts_cost(None, 4, steps=3, num_inference_steps=30)
    0.4
    """
    whole = signature_default(pipe, "num_inference_steps") if num_inference_steps is None else num_inference_steps
    return starts * min(steps, whole) / whole


def _whole(seeds: Any) -> list[int]:
    try:
        found = [operator.index(seed) for seed in seeds]
        if any(isinstance(seed, bool) for seed in seeds):
            raise TypeError
    except TypeError as error:
        raise TypeError(f"`seeds` must be a list of whole numbers, such as `range(8)`, got {seeds!r:.100}") from error
    if wrong := [seed for seed in found if not 0 <= seed < 2**32]:
        raise ValueError(f"`seeds` must lie in [0, 2**32), which is what torch's generator on the CPU takes, got {wrong[0]}")
    return found


def _idle(config: GuidanceConfig) -> str:
    return "`scale` 0" if config.scale == 0 else f"`start` and `stop` {config.start:g}"


def _starts(seeds: Sequence[int], looked: Sequence[StepTrace]) -> list[Start]:
    """Computes the loss of each seed from its steps."""
    found = []
    for row, seed in enumerate(seeds):
        steps = [step.to_dict(row) for step in looked]
        terms = {name: mean(step["terms"][name] for step in steps) for name in steps[0]["terms"]}
        found.append(Start(seed, mean(step["loss"] for step in steps), terms))
    return found


@contextmanager
def _only(pipe: Any, steps: int) -> Iterator[None]:
    """Ends the call of the pipeline inside the block after its first steps."""
    step, left = pipe.scheduler.step, steps
    modules: list[Any] = [getattr(pipe, name, None) for name in ("unet", "transformer")]
    processors = [(module, dict(module.attn_processors)) for module in modules if hasattr(module, "attn_processors")]

    def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        result, left = step(*args, **kwargs), left - 1
        if left <= 0:
            raise _EnoughError
        return result

    try:
        with swapped_attribute(pipe.scheduler, "step", functools.wraps(step)(counting)):  # pipelines read its signature
            yield
    except _EnoughError:  # what the pipeline does at its end: it may have other processors for a call, as for perturbed attention
        for module, own in processors:
            if any(module.attn_processors[name] is not processor for name, processor in own.items()):
                module.set_attn_processor(own)
        if hasattr(pipe, "maybe_free_model_hooks"):
            pipe.maybe_free_model_hooks()


class _EnoughError(Exception):
    """Ends a call of the pipeline after its first steps."""
