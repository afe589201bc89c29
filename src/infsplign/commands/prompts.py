"""`infsplign prompts`: writes the prompts of a benchmark to a file."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from infsplign.commands.reading import READ


def prompts(
    benchmark: Annotated[
        Literal["sr2d", "t2i", "geneval", "shapes", "pictures"],
        typer.Argument(help="sr2d (VISOR; generated, published keys), t2i, geneval (read from --from), shapes, pictures (tune, heldout)."),
    ],
    out: Annotated[Path, typer.Option(help="File to write; one that is there is replaced.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", **READ, help="Your copy of T2I-CompBench's spatial_val.txt or GenEval's evaluation_metadata.jsonl."),
    ] = None,
) -> None:
    """Write the prompts of a benchmark: sr2d as the published JSON list, the others as JSON lines with id, text and objects."""
    from infsplign.evaluation.files import write
    from infsplign.evaluation.prompts import published, sr2d, write_prompts

    read = benchmark in ("t2i", "geneval")
    if read != (source is not None):
        remedy = "is needed: its prompts are read from your copy" if read else "is of no use: its prompts are generated"
        raise ValueError(f"for {benchmark}, `--from` {remedy}")
    if benchmark == "sr2d":
        rows = published(sr2d())
        write(out, json.dumps(rows, indent=2))
    else:
        rows = _rows(benchmark, source)
        write_prompts(out, rows)
    typer.echo(f"{len(rows)} prompts in {out}")


def _rows(benchmark: str, source: Path | None) -> list:
    if source is not None:
        from infsplign.evaluation.scoring.benchmarks import BENCHMARKS

        return BENCHMARKS[benchmark].read(source)
    from infsplign.evaluation.prompts.world_prompts import prompts as of_split
    from infsplign.evaluation.prompts.world_prompts import size

    return [prompt for split in ("tune", "heldout") for prompt in of_split(split, size(split, benchmark), benchmark)]
