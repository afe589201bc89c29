"""Tables that a program writes into a page, between markers that stay."""

from pathlib import Path


def fill(page: Path, name: str, text: str) -> str:
    """Puts `text` between `<!-- measured: name -->` and `<!-- end: name -->` in `page`, and returns it.

    Raises:
        ValueError: the page has no such place.
    """
    start, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    before, found, rest = page.read_text("utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"`page` must hold {start} and {end}: {page} does not")
    page.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")
    return text
