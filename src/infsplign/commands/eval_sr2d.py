"""`infsplign eval sr2d`: makes the images of the SR2D benchmark; any detector can score them afterwards."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infsplign.commands import eval_common
from infsplign.commands.reading import READ
from infsplign.evaluation.running.methods import choose_methods
from infsplign.shipped.presets import PRESETS


def eval_sr2d(
    model: Annotated[str, typer.Option(help="A local folder, a Hugging Face id, or the name of a shipped model.")],
    out: eval_common.Out,
    methods: eval_common.Methods = "unguided,infsplign",
    images: eval_common.Images = 4,
    prompts: Annotated[
        Path | None,
        typer.Option(**READ, help="Prompts in the published format, or JSON lines of id and text; all of SR2D if not given."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first prompts only.")] = None,
    world: Annotated[
        bool, typer.Option("--world", help="Only prompts whose nouns the shipped model draws, in a random order, judged by its detector.")
    ] = False,
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
    """Make the images of SR2D, or of any prompts of its format: METHOD/ID_INDEX.png with a record each. Resumes after an interruption."""
    from infsplign.evaluation.prompts.prompt_lists import benchmark_prompts
    from infsplign.evaluation.running.images_run import RESULTS, check_ids, make_benchmark
    from infsplign.evaluation.scoring.summary import print_table
    from infsplign.evaluation.scoring.world_evaluation import evaluate_listed

    listed = (of_world(prompts, model) if world else benchmark_prompts(prompts))[:limit]
    check_ids(listed)
    if prompts is not None:
        eval_common.say_unread(listed, choose_methods(methods))
    loading = eval_common.Loading(model, device, dtype, steps, guidance_scale, traces=traces)
    eval_common.check_options(methods, scale, out, ray, workers, loading)
    with eval_common.sampling(loading, out, ray=ray, workers=workers) as (sampler, own, published):
        chosen = choose_methods(methods, scale, own, published)
        asked: dict[str, Any] = {"images": images, "methods": chosen, "batch": batch, "progress": progress}
        if world:
            results = evaluate_listed("sr2d", listed, sampler, out, name=PRESETS[model].world, **asked)
        else:
            results = make_benchmark("sr2d", listed, sampler, out, **asked)
    eval_common.say_failed(results, out)
    eval_common.say_unmoved(results, out)
    if world:
        print_table(results, f"{model}, SR2D: {eval_common.size_of(results)}")
    made = len(listed) * images * len(chosen) - sum(map(len, results["failed"].values()))
    typer.echo(f"{made} images of {len(listed)} prompts in {out}, {out / RESULTS}")


def of_world(prompts: Path | None, model: str) -> list[Any]:
    """The prompts of a file, or of SR2D, with a direction, whose nouns a shipped model draws; says how many others a file has.

    Raises:
        ValueError: the model does not ship, or there is no such prompt.
    """
    from infsplign.evaluation.prompts import BenchmarkPrompt
    from infsplign.evaluation.prompts.prompt_lists import benchmark_prompts, filled_prompt
    from infsplign.evaluation.scoring.world_evaluation import prompts_among
    from infsplign.shipped.worlds import world

    if model not in PRESETS:
        raise ValueError(f"`--world` needs a shipped model, one of {', '.join(PRESETS)}; got {model!r}")
    listed = benchmark_prompts(prompts)
    full = [prompt if isinstance(prompt, BenchmarkPrompt) else filled_prompt(prompt) for prompt in listed]
    found = prompts_among(full, world(PRESETS[model].world).nouns)
    if not found:
        raise ValueError(f"`--world`: no prompt relates two nouns of the world of {model!r} by a direction")
    if prompts is not None and len(found) < len(listed):
        why = "they relate no two nouns of the shipped model's world by a direction"
        typer.echo(f"{len(listed) - len(found)} of {len(listed)} prompts are left out: {why}", err=True)
    return found
