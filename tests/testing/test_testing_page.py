"""The Python of `docs/testing.md` runs as a reader would paste it, and its tables are complete."""

import re
from pathlib import Path

import pytest

import infsplign.testing

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def page():
    """The namespace that all blocks leave, run in order, and what they print."""
    printed = []
    namespace = {"print": lambda *values: printed.append(" ".join(map(str, values)))}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"testing.md, block {number}", "exec"), namespace)
    return namespace, printed


def test_the_careless_term_is_told_what_the_page_says(page):
    (shown,) = re.findall(r"print\(.*\)  # (.*) \[\.\.\.\]", "\n".join(BLOCKS))
    (printed,) = page[1]
    assert printed.startswith(shown)


def test_every_name_is_on_the_page():
    for name in infsplign.testing.__all__:
        assert f"| `{name}` |" in PAGE
    drawn = ("maps", "scenes", "batches", "relations", "grids", "probabilities")
    assert all(hasattr(infsplign.testing.strategies, name) and f"| `{name}(" in PAGE for name in drawn)


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / link).exists(), link


def test_lines_are_as_long_as_elsewhere():
    assert max(len(line) for block in BLOCKS for line in block.splitlines()) <= 140
