"""The Python of `docs/losses.md` runs as a reader would paste it, and prints what the page says; its tables are complete."""

import re

import pytest
import torch

from infsplign.core import LOSSES, TERMS, ObjectAttention, SceneArrays
from tests.pages import Page

PAGE = Page("docs/losses.md")


@pytest.fixture(scope="module")
def page():
    """The namespace that all blocks leave, run in order, and what they print."""
    return PAGE.run()


def test_blocks_print_what_stands_beside_them(page):
    assert len(PAGE.shown()) == 3
    assert page[1] == PAGE.shown()


def test_the_losses_of_the_page_are_what_their_comments_say(page):
    assert [term.name for term in page[0]["loss"].terms] == ["spatial", "presence", "balance", "excite", "overlap"]
    assert [term.name for term in page[0]["own"].terms] == ["superiority", "top heavy"]
    assert [term.name for term in page[0]["alone"].terms] == ["superiority"]


def test_every_field_and_every_name_is_explained():
    for name in (*ObjectAttention._fields, *SceneArrays._fields):
        assert f"| `{name}` |" in PAGE.text
    for name in LOSSES:
        assert f'"{name}"' in PAGE.text
    for name in TERMS:
        assert f"`{name}()`" in PAGE.text


def test_the_bounds_of_half_precision_are_those_of_their_types():
    first, second = re.search(r"4 eps of the half type: ([\d.]+) for float16, ([\d.]+) for bfloat16", PAGE.text).groups()
    assert float(first) == pytest.approx(4 * torch.finfo(torch.float16).eps, abs=5e-4)
    assert float(second) == pytest.approx(4 * torch.finfo(torch.bfloat16).eps, abs=5e-4)


def test_lines_are_as_long_as_elsewhere():
    assert PAGE.longest_line() <= 140
