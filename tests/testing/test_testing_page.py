"""The Python of `docs/testing.md` runs as a reader would paste it, and its tables are complete."""

import pytest

import infsplign.testing
from tests.pages import Page

PAGE = Page("docs/testing.md")


@pytest.fixture(scope="module")
def page():
    """The namespace that all blocks leave, run in order, and what they print."""
    return PAGE.run()


def test_the_careless_term_is_told_what_the_page_says(page):
    (shown,), (printed,) = PAGE.shown(), page[1]
    assert shown.endswith(" [...]")
    assert printed.startswith(shown.removesuffix(" [...]"))


def test_every_name_is_on_the_page():
    for name in infsplign.testing.__all__:
        assert f"| `{name}` |" in PAGE.text
    drawn = ("maps", "scenes", "batches", "relations", "grids", "probabilities")
    assert all(hasattr(infsplign.testing.strategies, name) and f"| `{name}(" in PAGE.text for name in drawn)


def test_links_lead_somewhere():
    assert PAGE.broken_links() == []


def test_lines_are_as_long_as_elsewhere():
    assert PAGE.longest_line() <= 140
