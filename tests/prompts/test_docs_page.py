"""`docs/prompts.md`: its Python prints what the page says, its tables are what is read and what is refused."""

import doctest
import re
from pathlib import Path

import pytest

from infsplign.errors import PromptError
from infsplign.prompts import parse_prompt
from tests.prompts.words import marked

FILE = Path(__file__).parents[2] / "docs" / "prompts.md"
PAGE = FILE.read_text("utf-8")


def rows(header: str) -> list[list[str]]:
    """The cells of all tables with that header."""
    tables = re.findall(rf"^{re.escape(header)}\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()]


READ, REFUSED = rows("| prompt | read as |"), rows("| prompt | marked | why |")


def test_python():
    assert PAGE.count(">>> ") > 8
    assert doctest.testfile(str(FILE), module_relative=False).failed == 0


@pytest.mark.parametrize(("prompt", "relations"), READ)
def test_read(prompt, relations):
    scene = parse_prompt(prompt)
    assert "; ".join(scene.text(edge) for edge in scene.relations) == relations


@pytest.mark.parametrize(("prompt", "words", "_why"), REFUSED)
def test_refused(prompt, words, _why):
    with pytest.raises(PromptError) as error:
        parse_prompt(prompt)
    assert marked(error.value) == words


def test_the_tables_are_found():
    assert len(READ) > 20
    assert len(REFUSED) > 10


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (FILE.parent / link).exists(), link
