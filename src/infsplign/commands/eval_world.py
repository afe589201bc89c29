"""`infsplign eval world`: measures how often a shipped model gets a relation right, unguided and guided."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from infsplign.commands import eval_common
from infsplign.evaluation.running.methods import choose_methods
from infsplign.shipped.presets import DEFAULT, PRESETS


def eval_world(
    prompts: Annotated[int, typer.Option(min=1, help="How many prompts of the split.")] = 64,
    images: eval_common.Images = 4,
    methods: eval_common.Methods = "unguided,infsplign",
    split: Annotated[Literal["tune", "heldout"], typer.Option(help="Prompts to choose options by, or prompts to report.")] = "heldout",
    model: Annotated[str, typer.Option(help="A shipped model, or the folder of a model of its world.")] = DEFAULT,
    world: Annotated[str | None, typer.Option(help="What a model that does not ship draws: shapes or pictures (default).")] = None,
    out: eval_common.Out = Path("out/eval-world"),
    steps: eval_common.Steps = None,
    guidance_scale: eval_common.GuidanceScale = None,
    scale: eval_common.Scale = None,
    batch: eval_common.Batch = 8,
    device: eval_common.Device = "auto",
    dtype: eval_common.Dtype = "auto",
    traces: eval_common.Traces = False,
    ray: eval_common.Ray = None,
    workers: eval_common.WorkerCount = None,
    progress: eval_common.Progress = True,
) -> None:
    """Measure VISOR, strict, doubled and shape on the world of a shipped model: images, records, results.json and table.md in a folder."""
    from infsplign.evaluation.prompts.world_prompts import prompts as prompts_of
    from infsplign.evaluation.running.images_run import RESULTS
    from infsplign.evaluation.scoring.summary import print_table
    from infsplign.evaluation.scoring.world_evaluation import TABLE, evaluate_world

    if world and model in PRESETS and PRESETS[model].world != world:
        raise ValueError(f"`--world` must be {PRESETS[model].world}, which the shipped model {model!r} draws, got {world!r}; leave it out")
    drawn = world or (PRESETS.get(model, PRESETS[DEFAULT]).world)
    if not world and model not in PRESETS:
        typer.echo(f"the world is that of {drawn}, since {model!r} is no shipped model; name another by `--world`", err=True)
    try:
        prompts_of(split, prompts, drawn)  # before a model is loaded
    except ValueError as error:
        raise ValueError(str(error).replace("`count`", "`--prompts`")) from None
    loading = eval_common.Loading(model, device, dtype, steps, guidance_scale, world=drawn, traces=traces)
    eval_common.check_options(methods, scale, out, ray, workers, loading)
    with eval_common.sampling(loading, out, ray=ray, workers=workers) as (sampler, own, published):
        chosen = choose_methods(methods, scale, own, published)
        asked = {"count": prompts, "images": images, "split": split, "batch": batch, "name": drawn}
        results = evaluate_world(sampler, out, methods=chosen, progress=progress, **asked)
    eval_common.say_failed(results, out)
    eval_common.say_unmoved(results, out)
    print_table(results, f"{model}, world of {drawn}, {split}: {eval_common.size_of(results)}")
    typer.echo(f"{out / TABLE}, {out / RESULTS}")
