"""Shared by the commands of `infsplign eval`: options, loading a model, sampling here or in workers."""

import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from infsplign.evaluation.running.method_folder import read_lines
from infsplign.evaluation.running.methods import choose_methods
from infsplign.evaluation.running.run_folder import read_manifest
from infsplign.evaluation.running.sampler import LoadedSampler, PipelineSampler
from infsplign.generation.models import check_model, check_takes_text, check_used, defaults_for, load_pipeline
from infsplign.generation.options import check_guidance_scale
from infsplign.shipped.presets import PRESETS

Out = Annotated[
    Path, typer.Option(help="Folder of the run. A run with the same settings that it holds is gone on with, any other is refused.")
]
Images = Annotated[int, typer.Option(min=1, max=100, help="Images a prompt.")]
Methods = Annotated[str, typer.Option(help="Methods to compare, with commas between; differences are from the first.")]
Steps = Annotated[int | None, typer.Option(min=1, max=1000, help="Denoising steps; the model's own if not given.")]
GuidanceScale = Annotated[float | None, typer.Option(help="Classifier-free guidance; the model's own if not given.")]
Scale = Annotated[float | None, typer.Option(min=0, help="Strength of the spatial guidance (eta) of every guided method.")]
Batch = Annotated[int, typer.Option(min=1, help="Images made at once; halved when memory runs out. A run keeps its number.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps; auto takes the best there is.")]
Dtype = Annotated[str, typer.Option(help="fp32, fp16 or bf16; auto is fp16 on cuda and fp32 elsewhere.")]
Progress = Annotated[bool, typer.Option(help="Show a progress bar with the time left.")]
Traces = Annotated[bool, typer.Option("--traces", help="Keep what guidance did at each step: METHOD/KEY.trace.json.")]
Ray = Annotated[str | None, typer.Option(metavar="ADDRESS", help='Spread the run over a Ray cluster; "local" starts one here.')]
WorkerCount = Annotated[int | None, typer.Option("--workers", min=1, help="Workers of the Ray run; one a GPU if not given, else one.")]


@dataclass(frozen=True)
class Loading:
    """How to load a model for sampling, here or in a worker.

    Attributes:
        model, device, dtype: see `load_pipeline`.
        steps, guidance_scale: the model's own when None.
        world: what the model draws. One that does not ship gets the options of the shipped model of its family and world, if there is one.
        traces: keep the trace of each step.
        threads: of torch on the CPU, which affect how sums are rounded; unchanged when None.
    """

    model: str
    device: str = "auto"
    dtype: str = "auto"
    steps: int | None = None
    guidance_scale: float | None = None
    world: str | None = None
    threads: int | None = None
    traces: bool = False

    def __call__(self) -> LoadedSampler:
        """Loads the model.

        Raises:
            ValueError: no such model, device or type, or a pipeline that cannot be guided.
            OSError: the model cannot be found or downloaded.
        """
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        pipe = load_pipeline(self.model, device=self.device, dtype=self.dtype)
        check_takes_text(pipe)
        check_used(pipe, None, None, asked=self.guidance_scale)
        from infsplign.adapters import backbone_for
        from infsplign.pipelines.description import describe

        backbone, alike = backbone_for(pipe), self.model
        if self.world and self.model not in PRESETS:
            same = ((preset.world, preset.family) == (self.world, backbone.name) for preset in PRESETS.values())
            alike = next((name for name, fits in zip(PRESETS, same, strict=True) if fits), alike)
        defaults = defaults_for(alike)
        family = describe(pipe, defaults.config)  # refuses what cannot be guided before anything is made
        steps = defaults.steps if self.steps is None else self.steps
        guidance_scale = defaults.guidance_scale if self.guidance_scale is None else self.guidance_scale
        sampler = PipelineSampler(pipe, steps=steps, guidance_scale=guidance_scale, call=defaults.call, keep_traces=self.traces)
        return LoadedSampler(sampler, family.config, backbone.published)


def check_options(methods: str, scale: float | None, out: Path, ray: str | None, workers: int | None, loading: Loading) -> None:
    """Checks the options before a model is loaded.

    Raises:
        ValueError: an unknown method, model, device or type, a number out of range, `--workers` without `--ray`.
        OutputError: `out` cannot be written.
        OSError: there is no such model, or no Ray cluster.
    """
    from infsplign.evaluation.files import check_writable
    from infsplign.evaluation.running.ray_address import check_ray_address

    choose_methods(methods, scale)
    if loading.guidance_scale is not None:
        check_guidance_scale(loading.guidance_scale)
    if workers is not None and ray is None:
        raise ValueError("`--workers` needs `--ray`: this process is one worker")
    check_writable(out)
    if ray is not None:
        if importlib.util.find_spec("ray") is None:
            raise ValueError("`--ray` needs Ray: `pip install 'infsplign[ray]'`")
        check_ray_address(ray)
    check_model(loading.model, device=loading.device, dtype=loading.dtype)


@contextmanager
def sampling(loading: Loading, out: Path, *, ray: str | None = None, workers: int | None = None) -> Iterator[LoadedSampler]:
    """Opens a sampler in this process, or workers of a Ray cluster. Ctrl-C reports which results are kept.

    Workers use as many threads as this process would, so that their images are bit-identical.
    """
    try:
        if ray is None:
            yield loading()
            return
        import torch

        from infsplign.evaluation.running.ray_workers import RayWorkers

        loading = replace(loading, threads=torch.get_num_threads())
        with RayWorkers(loading, address=ray, workers=workers, gpu=not loading.device.startswith(("cpu", "mps"))) as pool:
            yield LoadedSampler(pool, pool.own, pool.published)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"what is done is kept in {out}, the same command goes on from there") from None


def say_unread(prompts: Sequence[Any], methods: Mapping[str, Any]) -> None:
    """Warns of prompts that cannot be read, before anything is made: their guided images will fail, after hours of unguided ones. Tells of
    those that are guided by more than the relation that is measured."""
    from infsplign.errors import PromptError
    from infsplign.prompts import parse_prompt

    unread: list[tuple[str, str]] = []
    more: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on counts
        for prompt in prompts if any(methods.values()) else ():
            try:
                scene = parse_prompt(prompt.text)
                if len(scene.relations) > 1 and getattr(prompt, "relation", None):
                    more.append(f"{prompt.id} ({scene})")
            except (PromptError, ValueError) as error:
                unread.append((prompt.id, getattr(error, "problem", None) or str(error)))
    if unread:
        which = f"{len(unread)} of {len(prompts)} prompts cannot be read, and their guided images will fail, such as {unread[0][0]}"
        typer.echo(f"infsplign: warning: {which}: {unread[0][1]}", err=True)
    if more:
        typer.echo(f"{len(more)} of {len(prompts)} prompts are read as more than one relation, such as {more[0]}", err=True)


def say_failed(results: Any, out: Path) -> None:
    """Reports images that could not be made."""
    for name, keys in results["failed"].items():
        typer.echo(f"{name}: {len(keys)} images failed, see {out / name}.failed.json; the same command tries them again", err=True)


def say_unmoved(results: Any, out: Path) -> None:
    """Reports guided images that are those of an unguided method of the folder, to the byte: its figures there are the unguided ones."""
    known = (read_manifest(out) or {"methods": {}})["methods"]  # unguided ones may have been made before
    plains = {name: _hashes(out, name) for name, options in known.items() if options is None}
    for name in (name for name in results["options"] if name not in plains):
        guided = _hashes(out, name)
        for plain, images in plains.items():
            if same := len(guided.items() & images.items()):
                why = "the method asked for nothing there (`psg` and `layout` know directions alone), or its scale is 0"
                typer.echo(f"{name}: {same} of {len(guided)} images are those of {plain}: {why}", err=True)


def _hashes(out: Path, method: str) -> dict[str, str]:
    lines = out / f"{method}.jsonl"
    return {record["key"]: record["sha256"] for record in read_lines(lines)} if lines.exists() else {}


def size_of(results: Any) -> str:
    """What measures are of: prompts of which an image failed are left out of them."""
    lacking = {key.rpartition("_")[0] for keys in results["failed"].values() for key in keys}
    of = f"{results['prompts'] - len(lacking)} of " if lacking else ""
    return f"{of}{results['prompts']} prompts x {results['images']} images, {results['settings'].get('steps')} steps"
