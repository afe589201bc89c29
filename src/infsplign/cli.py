"""The command `infsplign`. Large libraries are imported only when a command runs, so that `--help` and `--version` are fast."""

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, ClassVar

try:
    import typer
    from typer.core import TyperGroup
except ModuleNotFoundError as missing:
    raise SystemExit(f"infsplign: {missing}; the command needs `pip install 'infsplign[cli]'`") from None

from infsplign import __version__
from infsplign.commands.calibrate import calibrate
from infsplign.commands.prompts import prompts
from infsplign.commands.reading import READ
from infsplign.commands.report import report
from infsplign.commands.score import score
from infsplign.generation.limits import LARGEST_SIDE, MOST_STEPS
from infsplign.shipped.presets import DEFAULT

DEBUG = "infsplign.debug"
LONGEST = 4000
"""Characters of a message: what is wrong may be a file's whole content."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it: 128 + SIGINT."""
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""Of options and arguments; Typer has a copy of Click, whose classes these are."""


class Commands(TyperGroup):
    """A group that prints an error as one message on stderr and exits with code 2; with `--debug` it shows the traceback."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # a path, or a sign that the terminal does not know, must not end a command
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().make_context(*args, **options)
        except USAGE_ERROR as error:
            message = explained(error)
            if message is None:
                raise
            typer.echo(f"infsplign: error: {message}", err=True)
            raise typer.Exit(2) from None

    def invoke(self, ctx: Any) -> Any:
        shown, warnings.formatwarning = warnings.formatwarning, _told_once()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            typer.echo(f"\ninfsplign: interrupted; {str(interrupt) or 'nothing was written'}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            message = explained(error)
            if message is None or (ctx.meta.get(DEBUG) and not isinstance(error, USAGE_ERROR)):
                raise
            typer.echo(f"infsplign: error: {message}", err=True)
            raise typer.Exit(2) from None
        finally:
            warnings.formatwarning = shown


class Evaluations(TyperGroup):
    """Sub-commands of `infsplign eval`; each is imported when it is used."""

    functions: ClassVar = {
        "world": "infsplign.commands.eval_world:eval_world",
        "sr2d": "infsplign.commands.eval_sr2d:eval_sr2d",
    }

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.functions)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.functions:
            return None
        module, name = self.functions[cmd_name].split(":")
        single = typer.Typer(add_completion=False)
        single.command(cmd_name)(getattr(import_module(module), name))
        return typer.main.get_command(single)


def explained(error: Exception) -> str | None:
    """Returns the message for an error that input, files or memory can cause; None for a bug in the program and for other exceptions."""
    message = _message(error)
    if message is None:
        return None
    from infsplign.evaluation.reading import printable

    plain = printable(message)
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}..."


def _message(error: Any) -> str | None:
    from infsplign.generation.messages import message_of

    if isinstance(error, USAGE_ERROR):
        if type(error).__name__ == "NoArgsIsHelpError":
            return None
        path, told = error.ctx.command_path if error.ctx else "infsplign", error.format_message().rstrip(".")
        quotes = "; a prompt of several words needs quotes around it" if "unexpected extra argument" in told else ""
        return f"{told}{quotes}; see `{path} --help`"
    if isinstance(error, BrokenPipeError):
        return None  # who reads has enough
    if isinstance(error, ModuleNotFoundError):
        own = (error.name or "").partition(".")[0] == "infsplign"
        return None if own else f"{error}; the command needs `pip install 'infsplign[cli]'`"
    return message_of(error)


def _told_once() -> Callable[..., str]:
    """A format of warnings that shows each text once: a prompt may be read for the images, the verdict and the record."""
    told = set[str]()

    def line(message: Any, *_: Any, **__: Any) -> str:
        known = str(message) in told
        told.add(str(message))
        return "" if known else f"infsplign: warning: {message}\n"

    return line


def _remember_debug(ctx: typer.Context, debug: bool) -> bool:
    ctx.meta[DEBUG] = ctx.meta.get(DEBUG, False) or debug
    return debug


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"infsplign {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
evaluations = typer.Typer(cls=Evaluations, no_args_is_help=True, add_completion=False)
app.add_typer(evaluations, name="eval", help="Measure how often relations come out right.")
app.command("calibrate")(calibrate)
app.command("prompts")(prompts)
app.command("report")(report)
app.command("score")(score)

Debug = Annotated[bool, typer.Option("--debug", callback=_remember_debug, help="Show the traceback of an error.")]
Model = Annotated[str, typer.Option(help="A shipped model (pictures, shapes, ...), a local folder, or a Hugging Face id.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps; auto takes the best there is.")]
Dtype = Annotated[str, typer.Option(help="fp32, fp16 or bf16; auto is fp16 on cuda and fp32 elsewhere.")]


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
    debug: Debug = False,
) -> None:
    """Training-free spatial guidance of text-to-image diffusion: what the prompt says is left is drawn left."""


@app.command()
def generate(
    prompt: Annotated[str | None, typer.Argument(help='Such as "a circle to the left of a square".')] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(**READ, help="File of prompts instead: one a line (.txt), JSON lines with id and text, or the published SR2D."),
    ] = None,
    model: Model = DEFAULT,
    relation: Annotated[
        list[str] | None,
        typer.Option(help='What to guide towards, such as "circle left of square"; may be repeated. Read from the prompt if not given.'),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first image; the next ones count up.")] = 0,
    images: Annotated[int, typer.Option(min=1, help="How many images of each kind.")] = 1,
    steps: Annotated[int | None, typer.Option(min=1, max=MOST_STEPS, help="Denoising steps; the model's own if not given.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="Classifier-free guidance; the model's own if not given.")] = None,
    preset: Annotated[
        Path | None,
        typer.Option(**READ, help="Options of guidance from a file that `GuidanceConfig.save` or `infsplign calibrate` wrote."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(help="Bound on the shift of the noise at each step, in standard deviations (`max_shift`); 0 is no guidance."),
    ] = None,
    stop: Annotated[float | None, typer.Option(help="Guide this part of the steps only, from 0 to 1; 0.5 is the first half.")] = None,
    scale: Annotated[float | None, typer.Option(min=0, help="Factor of the gradient (eta) before the bound; 0 is no guidance.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the images should not show.")] = None,
    height: Annotated[int | None, typer.Option(min=8, max=LARGEST_SIDE, help="In pixels; the model's own if not given.")] = None,
    width: Annotated[int | None, typer.Option(min=8, max=LARGEST_SIDE, help="In pixels; the model's own if not given.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Another sampler: ddim, euler, dpm++, unipc, ..., flow-euler, or a scheduler class of diffusers.")
    ] = None,
    lora: Annotated[
        list[str] | None, typer.Option(help="LoRA: a file, folder or hub id, with =WEIGHT if you like; may be repeated.")
    ] = None,
    vae: Annotated[str | None, typer.Option(help="Another autoencoder: a file, folder or hub id.")] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    memory: Annotated[
        str | None, typer.Option(help="What the device has, such as 12 or 12GB: choose a plan that fits, and offload if necessary.")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="How a guided step runs: split, batched, checkpoint (least memory), or auto.")] = None,
    offload: Annotated[
        str | None, typer.Option(help="What is on the device at a time: model (one part of the pipeline) or sequential (one layer).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results. Results of an earlier run in it are replaced, other files are left alone. "
            "If not given: a new folder out/<prompt>, numbered when there is one already."
        ),
    ] = None,
    no_unguided: Annotated[bool, typer.Option("--no-unguided", help="Make the guided images only.")] = False,
    debug: Debug = False,
) -> None:
    """Sample a prompt with and without guidance: images, a sheet, attention, curves over the steps, trace.json."""
    if prompt is None and prompts is None:
        raise typer.BadParameter("Missing argument 'PROMPT', or `--prompts` with a file", param_hint=None)
    from infsplign.commands.generate import run
    from infsplign.generation.options import GenerateOptions

    run(
        GenerateOptions(
            prompt=prompt or "", prompts=prompts, model=model, relations=tuple(relation or ()), seed=seed, images=images, steps=steps,
            guidance_scale=guidance_scale, scale=scale, negative_prompt=negative_prompt, height=height, width=width,
            device=device, dtype=dtype, out=out, unguided=not no_unguided, preset=preset, strength=strength, stop=stop, plan=plan,
            memory=memory, offload=offload, scheduler=scheduler, vae=vae, loras=tuple(lora or ()),
        )
    )  # fmt: skip


@app.command()
def describe(
    model: Model = DEFAULT,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    size: Annotated[
        int | None, typer.Option(min=8, max=LARGEST_SIDE, help="Side of the images in pixels, for the memory; else the model's own.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=1024, help="Images at a time, for the memory.")] = 1,
    memory: Annotated[str | None, typer.Option(help="What the device has, such as 12GB: propose the plan that fits.")] = None,
    debug: Debug = False,
) -> None:
    """Tell how a model would be guided: family, layers and grids, text axis, preset; with `--size` or `--memory`, what it would take."""
    from infsplign.commands.describe import run

    run(model, device=device, dtype=dtype, size=size, batch=batch, memory=memory)


@app.command("app")
def page(
    model: Annotated[
        list[str] | None, typer.Option(help="A local folder or a Hugging Face id beside the shipped models; may be repeated.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes the first free one from 7860 on.")] = 0,
    preset: Annotated[Path | None, typer.Option(**READ, help="File of options that `GuidanceConfig.save` wrote, for all models.")] = None,
    plan: Annotated[str | None, typer.Option(help="split, batched, checkpoint or auto; the preset's if not given.")] = None,
    offload: Annotated[str | None, typer.Option(help="model or sequential: keep only what runs on the device.")] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    debug: Debug = False,
) -> None:
    """Open a page for the browser: unguided and guided side by side, with attention and curves."""
    from infsplign.commands.app import run as serve
    from infsplign.generation.options import GenerateOptions

    base = GenerateOptions(preset=preset, plan=plan, offload=offload, device=device, dtype=dtype)
    serve(model or (), base, host=host, port=port)


def main() -> None:
    """Entry point of the command."""
    app(prog_name="infsplign")
