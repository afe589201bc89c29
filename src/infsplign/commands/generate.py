"""`infsplign generate`: samples the same seeds with and without guidance, and plots what guidance did."""

from collections.abc import Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from typing import Any

import typer

from infsplign.commands.output import OutputFolder, new_folder
from infsplign.core.scenes import Scene
from infsplign.errors import PromptError
from infsplign.generation.options import GenerateOptions, Pair, Triples


def run(options: GenerateOptions) -> None:
    """Checks the options, loads the model, samples, writes the results and reports.

    Raises:
        ValueError: invalid input; nothing has been written.
        OSError: the model cannot be found or downloaded, or the output folder cannot be written.
        KeyboardInterrupt: Ctrl-C; its message says which results are kept.
    """
    options.check()
    asked = [(each, *each.scene()) for each in options.each()]  # all are read before the model is loaded
    parent, folders = _folders(options, [each for each, _, _ in asked])
    pipe, fit = _loaded(options)
    jobs = [_job(pipe, replace(each, plan=fit.plan, offload=fit.offload), scene, triples) for each, scene, triples in asked]
    with nullcontext() if parent is None else closing(parent):
        for place, (job, folder) in enumerate(zip(jobs, folders, strict=True)):
            if len(asked) > 1:
                key, prompt = job.options.key, job.options.prompt
                typer.echo(f"{'' if place == 0 else chr(10)}prompt {place + 1} of {len(asked)}, {key}: {prompt}")
            _run_one(job, folder)


def _job(pipe: Any, options: GenerateOptions, scene: Scene, triples: Triples | None) -> Any:
    """The job of one prompt. All are made before the first image: what the tokenizer cuts off is told at once."""
    from infsplign.generation.job import Job
    from infsplign.generation.models import quiet

    try:
        with quiet():
            return Job(pipe, options, scene, triples)
    except PromptError as error:
        raise options.named(error) from None


def _run_one(job: Any, folder: OutputFolder) -> None:
    for line in job.announcement():
        typer.echo(line)
    if warning := job.warning():
        typer.echo(f"infsplign: warning: {warning}", err=True)
    pairs: list[Pair] = []
    try:
        for number in range(job.options.images):
            pairs.append(_sample(job, number, folder))
            folder.write_json(job.record("running", pairs))  # what is there is read also where the process is killed
        _finish(job, folder, pairs)
        folder.close()
    except BaseException as stop:
        _leave(job, folder, pairs, stop)
    finally:
        with suppress(OSError):
            folder.close()


def _folders(options: GenerateOptions, each: Sequence[GenerateOptions]) -> tuple[OutputFolder | None, list[OutputFolder]]:
    """The folder of each prompt: that of the run for a single one, else one below it, named by the prompt's id; and the one above them."""
    if options.prompts is None:
        if options.out is None:
            return None, [OutputFolder(new_folder(options.prompt), options.prompt)]
        folder = OutputFolder(options.out)
        if others := folder.others([]):
            which = f"images of {len(others)} other prompts, such as {others[0]}"
            typer.echo(f"infsplign: warning: {folder.path} holds {which}; its `score` and `report` take this prompt alone", err=True)
        return None, [folder]
    name = options.prompts.stem
    parent = OutputFolder(options.out, shared=True) if options.out is not None else OutputFolder(new_folder(name), name, shared=True)
    if others := parent.others([one.key for one in each]):
        which = f"images of {len(others)} other prompts, such as {others[0]}"
        typer.echo(f"infsplign: warning: {parent.path} holds {which}; `score` and `report` of this folder take them too", err=True)
    return parent, [OutputFolder(parent.path / one.key, parent=parent) for one in each]


def _loaded(options: GenerateOptions) -> tuple[Any, GenerateOptions]:
    """The pipeline in its place, and the options with the plan that fits the memory."""
    from infsplign.generation.models import check_model, choose_device, quiet, read_pipeline
    from infsplign.generation.parts import check_offload, place

    check_model(options.model, device=options.device, dtype=options.dtype)  # a wrong name is told before torch is imported
    target = choose_device(options.device)
    check_offload(options.offload, target.type)
    pipe = read_pipeline(options.model, device=options.device, dtype=options.dtype, parts=options.parts)
    from infsplign import visuals  # noqa: F401  a missing matplotlib is found before the sampling
    from infsplign.generation.fitting import fitted  # after the model's name is checked: it imports diffusers

    options, told = fitted(pipe, options, target.type)
    if told:
        typer.echo(told)
    with quiet():
        return place(pipe, target, options.offload), options


def _sample(job: Any, number: int, folder: OutputFolder) -> Pair:
    """Samples guided images first, so that a pipeline that cannot be guided raises an error before anything is written."""
    guidance = job.guide(keep_maps=number == 0)
    with guidance:
        guided = job.sample(number, "guided")
    job.token_indices = next(iter(guidance.token_indices), ())  # none where no step was guided
    if number == 0:
        folder.claim()
        folder.begin(job.record("running", []))
    hashes = {"guided": folder.save(f"guided_{number}.png", guided)}
    unguided = None
    if job.options.unguided:
        unguided = job.sample(number, "unguided")
        hashes["unguided"] = folder.save(f"unguided_{number}.png", unguided)
    return Pair(job.options.seed + number, guided, unguided, guidance.trace, hashes)


def _leave(job: Any, folder: OutputFolder, pairs: Sequence[Pair], stop: BaseException) -> None:
    """Keeps the finished results if the work stops early, and reports them."""
    kept = folder.kept() if folder.begun else []
    message = f"finished before that and kept in {folder.path}: {', '.join(kept)}" if kept else "nothing was written"
    if folder.begun:
        with suppress(OSError):  # it may be what stopped the work
            folder.write_json(job.record("interrupted" if isinstance(stop, KeyboardInterrupt) else f"failed: {stop}", pairs))
    if isinstance(stop, KeyboardInterrupt):
        raise KeyboardInterrupt(message) from None
    if kept:
        typer.echo(f"infsplign: {message}", err=True)
    raise stop


def _finish(job: Any, folder: OutputFolder, pairs: Sequence[Pair]) -> None:
    from infsplign.generation.verdicts import judged
    from infsplign.visuals import attention_overlay, comparison_sheet, trace_plot

    options, scene, path = job.options, job.scene, folder.path
    methods = list(pairs[0].images)
    images = {method: [pair.images[method] for pair in pairs] for method in methods}
    verdicts = judged(options.model, scene, [pair.seed for pair in pairs], images, prompt=options.prompt)
    sheet = comparison_sheet(
        images,
        title=options.prompt,
        rows=[f"seed {pair.seed}" for pair in pairs],
        notes={method: verdicts.notes(method) for method in methods} if verdicts.outcomes else None,
    )
    folder.save("sheet.png", sheet)
    written = ["sheet.png"]
    if any(step.guided for step in pairs[0].trace):
        first, note = pairs[0], f"seed {pairs[0].seed}"
        folder.save("attention.png", attention_overlay(first.trace, scene.objects, first.guided, title=options.prompt, note=note))
        folder.save("trace.png", trace_plot(first.trace, scene, title=options.prompt, note=note))
        written += ["attention.png", "trace.png"]
    else:
        typer.echo("no step was guided, so there is no attention.png and no trace.png")
    folder.write_json(job.record("complete", pairs, verdicts))
    for line in verdicts.lines():
        typer.echo(line)
    singles = [f"{method}_0.png" + (f" to {method}_{len(pairs) - 1}.png" if len(pairs) > 1 else "") for method in methods]
    typer.echo(f"written to {path}: {', '.join([*written, 'trace.json', *singles])}")
