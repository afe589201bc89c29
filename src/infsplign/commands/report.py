"""`infsplign report`: writes runs and scores to one HTML page."""

from pathlib import Path
from typing import Annotated

import typer


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15).lower() in (b"<!doctype html>", b"")


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Runs of `infsplign eval`, or folders of scores; scores below a run are found.")
    ],
    out: Annotated[Path, typer.Option(help="The page: one file that needs nothing else.")] = Path("report.html"),
    images: Annotated[int, typer.Option(min=0, help="How many images to show at most; fewer where the page would grow above 5 MB.")] = 320,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Spatial relations in generated images",
) -> None:
    """Write a page with measures beside published ones, bars for each relation, and the images of the same seeds side by side."""
    from infsplign.evaluation.page import write_report

    if out.is_file() and not _is_page(out):
        raise ValueError(f"`--out` {str(out)!r} is no page and would be replaced; choose another name, such as report.html")
    shown = write_report(folders, out, images=images, title=title)
    typer.echo(f"{out}: {len(folders)} run{'s' * (len(folders) != 1)}, {shown} images, {out.stat().st_size / 1e6:.1f} MB")
