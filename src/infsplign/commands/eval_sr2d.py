"""`infsplign eval sr2d`: makes the images of the SR2D benchmark; any detector can score them afterwards."""

from pathlib import Path
from typing import Annotated

import typer

from infsplign.commands import eval_common
from infsplign.evaluation.running.methods import choose_methods


def eval_sr2d(
    model: Annotated[str, typer.Option(help="A local folder, a Hugging Face id, or the name of a shipped model.")],
    out: eval_common.Out,
    methods: eval_common.Methods = "unguided,infsplign",
    images: eval_common.Images = 4,
    prompts: Annotated[
        Path | None, typer.Option(help="Prompts in the published format, or JSON lines of id and text; all of SR2D if not given.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first prompts only.")] = None,
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

    listed = benchmark_prompts(prompts)[:limit]
    check_ids(listed)
    loading = eval_common.Loading(model, device, dtype, steps, guidance_scale, traces=traces)
    eval_common.check_options(methods, scale, out, ray, workers, loading)
    with eval_common.sampling(loading, out, ray=ray, workers=workers) as (sampler, own, published):
        chosen = choose_methods(methods, scale, own, published)
        results = make_benchmark("sr2d", listed, sampler, out, images=images, methods=chosen, batch=batch, progress=progress)
    eval_common.say_failed(results, out)
    made = len(listed) * images * len(chosen) - sum(map(len, results["failed"].values()))
    typer.echo(f"{made} images of {len(listed)} prompts in {out}, {out / RESULTS}")
