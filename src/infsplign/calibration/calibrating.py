"""`calibrate`: fits guidance to a pipeline that nobody here has seen, without labels."""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from infsplign.adapters import Backbone, backbone_for
from infsplign.adapters.backbone import uncompiled
from infsplign.calibration.choosing import BOUNDS, BoundScore, choose_bound, choose_layers, choose_window
from infsplign.calibration.cost import step_cost
from infsplign.calibration.judging import Judge
from infsplign.calibration.layers import readable, text_layers
from infsplign.calibration.preset import Calibration
from infsplign.calibration.prompts import pair_prompts, prompt_of
from infsplign.calibration.running import Sampling, attention_of, bounds_of
from infsplign.calibration.scoring import score_layers
from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import fingerprint
from infsplign.evaluation.prompts import BenchmarkPrompt
from infsplign.pipelines.watching import watch


def calibrate(
    pipe: Any,
    prompts: Iterable[str | BenchmarkPrompt] | None = None,
    *,
    out: str | Path | None = None,
    images: int = 2,
    bounds: Sequence[float] = BOUNDS,
    judge: Judge | None = None,
    sampling: Sampling | None = None,
    backbone: Backbone | None = None,
) -> Calibration:
    """Chooses the layers, the window and the bound of guidance for `pipe` from its own attention, without labels.

    1. Samples the prompts unguided, and looks at every text-reading layer in every step.
    2. Ranks layers by how well their early gaps agree with the late consensus of all layers, see `infsplign.calibration.scoring`.
    3. Guides the same prompts under each bound, and takes the least bound that keeps most scenes and objects whole at the end.

        found = infsplign.calibrate(pipe)
        found.save("preset.json")
        with infsplign.guide(pipe, prompt, config=found.config): ...

    All other options are the default of the family, as in `guide`.

    Args:
        pipe: a stock diffusers pipeline of a supported family.
        prompts: each relates two objects that the model knows; 24 pairs of COCO's objects when None.
        out: folder that keeps what is done: the same call goes on from there after it was killed. A temporary one when None.
        images: unguided images a prompt; guided ones are one a prompt and bound.
        bounds: values of `max_shift` to try, each > 0; with a single one nothing is searched.
        judge: a detector's verdict on the guided images; None judges by attention.
        sampling: steps, guidance scale and the like; the pipeline's own when None.
        backbone: the family; found when None.

    Raises:
        UnsupportedPipelineError, AttentionError, PromptError: as `guide`.
        ValueError: no prompt, a bound out of range, a judge of other prompts, an argument of `sampling.call` that is given anyway, or
            `out` holds a calibration with other settings.
        OutputError: `out` cannot be written.
    """
    backbone, sampling = backbone or backbone_for(pipe), sampling or Sampling()
    asked = checked_prompts(prompts)
    tried = checked_bounds(bounds)
    check_judge(judge, asked)
    with ExitStack() as stack:
        folder = Path(out) if out is not None else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="infsplign-")))
        sampling.sampler(pipe, (), backbone)  # an argument of the call that cannot be given is told before the work begins
        _, layers, unread = readable(partial(_one_step, pipe, asked[0].text, backbone, sampling), text_layers(pipe, backbone))
        readings, left_out = attention_of(pipe, asked, folder / "attention", layers, images, sampling, backbone)
        scores = score_layers(readings)
        chosen = choose_layers(scores)
        at, stop = choose_window(readings, scores, chosen or list(range(len(layers))))
        denoiser = uncompiled(getattr(pipe, backbone.denoiser))
        base = backbone.config(denoiser).with_(stop=stop, patience=None)
        if chosen:
            base = base.with_(layers=levels([readings.layers[k] for k in chosen]))
        found: dict[float, BoundScore] = {}
        if len(tried) > 1:
            configs = {bound: base.with_(max_shift=bound) for bound in tried}
            place = folder / "bounds" / _digest(base)  # with more prompts other layers may be chosen
            found, failed = bounds_of(pipe, asked, place, configs, readings, scores, judge, sampling, backbone)
            left_out |= failed
        bound = choose_bound(found) or tried[0]
        config = base.with_(max_shift=bound)
        scale = {} if sampling.guidance_scale is None else {"guidance_scale": sampling.guidance_scale}
        cost = step_cost(pipe, backbone, config, scale | dict(sampling.call or {}))
        return Calibration(
            config, readings, scores, tuple(chosen), at, found, cost,
            prompts=len(asked), images=images, family=backbone.name, unread=unread,
            judged_by=None if judge is None or not found else dict(judge.detector.settings()), left_out=left_out,
        )  # fmt: skip


def _digest(config: GuidanceConfig) -> str:
    """A name for options."""
    return hashlib.sha256(json.dumps(fingerprint.plain(config), sort_keys=True).encode()).hexdigest()[:12]


def checked_prompts(prompts: Iterable[str | BenchmarkPrompt] | None) -> list[BenchmarkPrompt]:
    """Returns the prompts; the built-in ones for None.

    Raises:
        ValueError: no prompt, or one that relates no two objects.
    """
    if prompts is None:
        return pair_prompts()
    prompts = prompts if isinstance(prompts, str) else list(prompts)
    if isinstance(prompts, str) or not prompts:
        raise ValueError(f"`prompts` must be a list of at least one prompt, got {prompts!r}")
    # guidance reads the text, whatever else a prompt says, so that each must be one that can be read
    read = [prompt_of(p if isinstance(p, str) else p.text, number) for number, p in enumerate(prompts)]
    return [own if isinstance(p, str) else p for p, own in zip(prompts, read, strict=True)]


def check_judge(judge: Judge | None, prompts: Sequence[BenchmarkPrompt]) -> None:
    """Refuses a judge of other prompts, whose verdicts would be on what nobody asked for.

    Raises:
        ValueError: it does not know one of the prompts.
    """
    unknown = next((p for p in prompts if judge.prompts.get(p.id) != p), None) if judge is not None else None
    if unknown is not None:
        raise ValueError(
            f"`judge` must be made for the prompts that are sampled, and does not know {unknown.text!r} by the id {unknown.id!r}; give the "
            "same list to `Judge` and to `calibrate`, for instance that of `checked_prompts`"
        )


def checked_bounds(bounds: Sequence[float]) -> list[float]:
    """Returns the bounds, least first.

    Raises:
        ValueError: none, or one out of range.
    """
    if isinstance(bounds, str) or not isinstance(bounds, Iterable):
        raise ValueError(f"`bounds` must be a list of values of `max_shift`, got {bounds!r}")
    each = list(bounds)
    if any(bound is None for bound in each):
        raise ValueError(f"`bounds` must hold numbers > 0, got {each!r}")
    for bound in each:
        GuidanceConfig(max_shift=bound)
    found = sorted({float(bound) for bound in each})
    if not found:
        raise ValueError("`bounds` must hold at least one value of `max_shift`, got none")
    return found


def levels(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns chosen layers as `GuidanceConfig.layers`: the first half "coarse", as in the families of transformers."""
    half = (len(names) + 1) // 2
    return {level: tuple(part) for level, part in (("coarse", names[:half]), ("middle", names[half:])) if part}


def _one_step(pipe: Any, text: str, backbone: Backbone, sampling: Sampling, layers: Sequence[str]) -> None:
    """Runs two steps and reads the layers, so that those that cannot be read are found before the work begins."""
    bars = dict(getattr(pipe, "_progress_bar_config", {}))
    pipe.set_progress_bar_config(**bars | {"disable": True})
    try:
        with watch(pipe, [text], layers, backbone=backbone):
            # two steps: with one, PixArt takes the scheduler for that of a model of one step
            pipe(prompt=text, output_type="latent", **dict(sampling.call or {}) | {"num_inference_steps": 2})
    finally:
        pipe.set_progress_bar_config(**bars)
