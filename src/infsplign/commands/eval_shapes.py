"""`infsplign eval shapes`: how often the shipped model gets a relation right, unguided and guided."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from infsplign.commands.models import load_pipeline
from infsplign.commands.options import check_guidance_scale
from infsplign.config import GuidanceConfig
from infsplign.shapes.defaults import PRESETS


def eval_shapes(
    prompts: Annotated[int, typer.Option(min=1, help="How many prompts of the split.")] = 64,
    images: Annotated[int, typer.Option(min=1, max=100, help="Images a prompt.")] = 4,
    methods: Annotated[
        str, typer.Option(help="Methods to compare, with commas between; differences are from the first.")
    ] = "unguided,infsplign",
    split: Annotated[Literal["tune", "heldout"], typer.Option(help="Prompts to choose options by, or prompts to report.")] = "heldout",
    model: Annotated[str, typer.Option(help="shapes, shapes-pixart, or the folder of a model of their world.")] = "shapes",
    out: Annotated[
        Path, typer.Option(help="Folder of the run. A run with the same settings that it holds is gone on with, any other is refused.")
    ] = Path("out/eval-shapes"),
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps; the model's own if not given.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="Classifier-free guidance; the model's own if not given.")] = None,
    scale: Annotated[float | None, typer.Option(min=0, help="Strength of the spatial guidance (eta) of every guided method.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images made at once.")] = 8,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps; auto takes the best there is.")] = "auto",
    dtype: Annotated[str, typer.Option(help="fp32, fp16 or bf16; auto is fp16 on cuda and fp32 elsewhere.")] = "auto",
    progress: Annotated[bool, typer.Option(help="Show a progress bar a method.")] = True,
) -> None:
    """Measure VISOR, strict, doubled and shape on the shapes world: images, records, results.json and table.md in a folder."""
    from infsplign.description import describe
    from infsplign.evaluation import prompts_shapes
    from infsplign.evaluation.report import print_table
    from infsplign.evaluation.runner import PipelineSampler
    from infsplign.evaluation.shapes_runner import RESULTS, TABLE, evaluate_shapes
    from infsplign.evaluation.store import check_writable

    choose_methods(methods, scale)
    prompts_shapes.prompts(split, prompts)
    if guidance_scale is not None:
        check_guidance_scale(guidance_scale)
    check_writable(out)
    pipe = load_pipeline(model, device=device, dtype=dtype)
    family = describe(pipe).family  # refuses what cannot be guided before anything is made
    preset = PRESETS.get(model) or next((p for p in PRESETS.values() if p.folder == family), PRESETS["shapes"])
    chosen = choose_methods(methods, scale, preset.config)
    steps = preset.steps if steps is None else steps
    guidance_scale = preset.guidance_scale if guidance_scale is None else guidance_scale
    sampler = PipelineSampler(pipe, steps=steps, guidance_scale=guidance_scale, call=preset.call)
    try:
        results = evaluate_shapes(sampler, out, count=prompts, images=images, methods=chosen, split=split, batch=batch, progress=progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"what is done is kept in {out}, the same command goes on from there") from None
    print_table(results, f"{model}, {split}: {prompts} prompts x {images} images, {steps} steps")
    typer.echo(f"{out / TABLE}, {out / RESULTS}")


def choose_methods(names: str, scale: float | None = None, own: GuidanceConfig | None = None) -> dict[str, GuidanceConfig | None]:
    """The options of methods named with commas between; `scale`, where given, replaces that of every guided one.

    `own` are the constants of the model, which "infsplign" stands for.

    Raises:
        ValueError: no name, an unknown one, or one twice.
    """
    from infsplign.evaluation.shapes_runner import METHODS

    asked = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in asked if name not in METHODS]
    if unknown or not asked or len(set(asked)) != len(asked):
        raise ValueError(f"`--methods` must be one or more of {', '.join(METHODS)}, each once, got {names!r}")
    configs = {name: own if name == "infsplign" and own is not None else METHODS[name] for name in asked}
    return {name: c.with_(scale=scale) if c is not None and scale is not None else c for name, c in configs.items()}
