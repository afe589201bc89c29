"""`infsplign calibrate`: fits guidance to a model without labels, and writes a preset with its evidence."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from infsplign.commands import eval_common
from infsplign.commands.reading import READ
from infsplign.shipped.presets import DEFAULT

WORK = ".calibration"
"""Ending of the folder beside the preset that keeps what is done."""


def calibrate(
    out: Annotated[Path, typer.Option(help="The preset, a JSON file; a plot (.png) and a table (.md) are written beside it.")],
    model: Annotated[str, typer.Option(help="A shipped model, a local folder, or a Hugging Face id.")] = DEFAULT,
    prompts: Annotated[
        Path | None,
        typer.Option(
            **READ, help="File of prompts, as other commands take it, each of two objects that the model knows; built-in ones if not given."
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(min=2, max=1000, help="How many of the built-in prompts; 24 if not given.")] = None,
    images: Annotated[int, typer.Option(min=1, max=100, help="Unguided images a prompt.")] = 2,
    bounds: Annotated[str, typer.Option(help="Values of `max_shift` to try, with commas between; a single one is taken as it is.")] = "",
    detector: Annotated[
        str | None, typer.Option(help="owlvit, owlv2, grounding-dino or world judges the guided images; attention does if not given.")
    ] = None,
    detector_model: Annotated[str | None, typer.Option(help="Folder or hub id of the detector's model; a common one if not given.")] = None,
    steps: eval_common.Steps = None,
    guidance_scale: eval_common.GuidanceScale = None,
    batch: eval_common.Batch = 8,
    device: eval_common.Device = "auto",
    dtype: eval_common.Dtype = "auto",
    progress: eval_common.Progress = True,
) -> None:
    """Choose layers, window and bound of guidance for a model by its own attention: no labels. An interrupted run goes on."""
    from infsplign.evaluation.files import check_writable
    from infsplign.generation.models import check_model, check_takes_text, check_used, defaults_for, load_pipeline, quiet
    from infsplign.generation.options import check_guidance_scale

    if out.suffix != ".json" or out.is_dir():
        raise ValueError(f"`--out` must be the name of a JSON file, such as preset.json, got {str(out)!r}")
    work = out.with_suffix(WORK)
    others = [path.name for path in map(out.with_suffix, (".png", ".md")) if path.exists()]
    if others and not out.exists() and not work.exists():
        raise ValueError(f"`--out` {str(out)!r} would replace {' and '.join(others)} of something else; choose another name")
    if out.exists() and not _is_preset(out):
        raise ValueError(f"`--out` {str(out)!r} is no preset and would be replaced; choose another name")
    if guidance_scale is not None:
        check_guidance_scale(guidance_scale)
    tried = parse_bounds(bounds)
    check_detector(detector, detector_model)
    if detector is not None and len(set(tried)) == 1:
        raise ValueError(f"`--detector` is of no use with a single bound, which is not judged; leave it out, or add to `--bounds {bounds}`")
    if prompts is not None and count is not None:
        raise ValueError("`--count` is of no use with `--prompts`, all of which are taken; leave it out")
    asked = read(prompts)
    check_writable(out.parent)
    check_model(model, device=device, dtype=dtype)
    pipe, defaults = load_pipeline(model, device=device, dtype=dtype), defaults_for(model)
    check_takes_text(pipe)
    check_used(pipe, None, None, asked=guidance_scale)
    from infsplign.calibration import Sampling
    from infsplign.calibration import calibrate as run
    from infsplign.calibration.prompts import built_in

    asked = asked or built_in(model, count or 24)
    sampling = Sampling(
        steps=steps or defaults.steps,
        guidance_scale=defaults.guidance_scale if guidance_scale is None else guidance_scale,
        call=defaults.call, batch=batch, progress=progress,
    )  # fmt: skip
    with quiet():
        judge = None if detector is None else _judge(detector, detector_model, model, asked, pipe.device)
        try:
            found = run(pipe, asked, out=work, images=images, bounds=tried, judge=judge, sampling=sampling)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"what is done is kept in {work}, the same command goes on from there") from None
    for line in found.summary():
        typer.echo(line)
    written = found.write(out, model=model)
    use = shlex.join(["infsplign", "generate", "PROMPT", "--model", model, "--preset", str(out)])
    typer.echo(f"written: {', '.join(map(str, written))}; use it: {use}")


def _is_preset(path: Path) -> bool:
    from infsplign.engine.config import GuidanceConfig

    try:
        GuidanceConfig.load(path)
    except ValueError:
        return False
    return True


def parse_bounds(text: str) -> tuple[float, ...]:
    """Reads numbers with commas between; the default ones for an empty text.

    Raises:
        ValueError: something that is no number > 0.
    """
    from infsplign.calibration.choosing import BOUNDS

    try:
        found = tuple(float(part) for part in text.split(",") if part.strip()) if text.strip() else BOUNDS
    except ValueError:
        found = ()
    if not found or not all(0 < value < float("inf") for value in found):
        raise ValueError(f"`--bounds` must be numbers > 0 with commas between, such as 0.05,0.1,0.2, got {text!r}")
    return found


def read(prompts: Path | None) -> Any:
    """Reads the file of prompts; None if there is none."""
    if prompts is None:
        return None
    from infsplign.calibration.prompts import read_prompts_of

    return read_prompts_of(prompts)


def check_detector(detector: str | None, model: str | None) -> None:
    """Raises an error for an unknown detector, or a model without one.

    Raises:
        ValueError: such an option.
    """
    from infsplign.evaluation.detectors import KINDS

    if detector is not None and detector not in KINDS:
        raise ValueError(f"`--detector` must be one of {', '.join(KINDS)}, got {detector!r}")
    if detector is None and model is not None:
        raise ValueError("`--detector-model` needs `--detector`: without one, attention judges")


def _judge(detector: str, detector_model: str | None, model: str, asked: Any, device: Any) -> Any:
    from infsplign.calibration.judging import THRESHOLDS, Judge
    from infsplign.evaluation.detectors import load_detector
    from infsplign.evaluation.metrics.names import listed, plain
    from infsplign.shipped import PRESETS, world

    if detector == "world":
        name = detector_model or PRESETS.get(model, PRESETS[DEFAULT]).world
        judge = Judge(load_detector("world", name, threshold=0.0), asked, least=world(name).min_score)
        nouns = set(map(plain, world(name).nouns))
        strange = sorted({each for scene in judge.scenes.values() for each in scene.objects if plain(each) not in nouns})
        if strange:
            raise ValueError(
                f"`--detector` world cannot judge these prompts: the world of {name} does not know {listed(strange)}; leave these prompts "
                "or `--detector` out"
            )
        return judge
    least = THRESHOLDS[detector]
    return Judge(load_detector(detector, detector_model, threshold=least, device=str(device)), asked, least=least)
