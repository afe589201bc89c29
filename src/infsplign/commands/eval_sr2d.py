"""`infsplign eval sr2d`: the images of the SR2D benchmark, to be scored afterwards by a detector of one's choice."""

from pathlib import Path
from typing import Annotated

import typer

from infsplign.commands import eval_common as shared
from infsplign.evaluation.running.methods import choose_methods


def eval_sr2d(
    model: Annotated[str, typer.Option(help="A local folder, a Hugging Face id, or the name of a shipped model.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the run. A run with the same settings that it holds is gone on with, any other is refused.")
    ],
    methods: shared.Methods = "unguided,infsplign",
    images: shared.Images = 4,
    prompts: Annotated[
        Path | None, typer.Option(help="Prompts in the published format, or JSON lines of id and text; all of SR2D if not given.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first prompts only.")] = None,
    steps: shared.Steps = None,
    guidance_scale: shared.GuidanceScale = None,
    scale: shared.Scale = None,
    batch: shared.Batch = 8,
    device: shared.Device = "auto",
    dtype: shared.Dtype = "auto",
    traces: shared.Traces = False,
    ray: shared.Ray = None,
    workers: shared.WorkerCount = None,
    progress: shared.Progress = True,
) -> None:
    """Make the images of SR2D, or of any prompts of its format: METHOD/ID_INDEX.png with a record each. Killed, it goes on."""
    from infsplign.evaluation.prompts.prompt_lists import benchmark_prompts
    from infsplign.evaluation.running.images_run import RESULTS, make_benchmark

    listed = benchmark_prompts(prompts)[:limit]
    shared.check_options(methods, scale, guidance_scale, out, ray, workers)
    loading = shared.Loading(model, device, dtype, steps, guidance_scale, threads=shared.threads_here(ray), traces=traces)
    with shared.sampling(loading, out, ray=ray, workers=workers) as (sampler, own, published):
        chosen = choose_methods(methods, scale, own, published)
        results = make_benchmark("sr2d", listed, sampler, out, images=images, methods=chosen, batch=batch, progress=progress)
    shared.say_failed(results, out)
    made = len(listed) * images * len(chosen) - sum(map(len, results["failed"].values()))
    typer.echo(f"{made} images of {len(listed)} prompts in {out}, {out / RESULTS}")
