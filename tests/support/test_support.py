"""docs/support.md says what these rows show, and every row is run."""

from pathlib import Path

import pytest

from benchmarks import support
from tests.support import pipelines, switches, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "support.md"


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.run.__name__)
def test_row(row):
    row.check()


def test_the_document_is_made_of_these_rows():
    assert support.page() == DOCUMENT.read_text("utf-8"), "run `python -m benchmarks.support`"


def test_every_function_is_a_row():
    assert {row.run.__module__ for row in table.ROWS} == {pipelines.__name__, switches.__name__}
