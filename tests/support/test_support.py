"""docs/support.md says what these rows show, and every row is run."""

import inspect
import json
from pathlib import Path

import diffusers
import pytest

from benchmarks import support
from benchmarks.support import OUTCOMES
from infsplign.adapters import TRANSFORMERS
from tests.support import pipelines, switches, table
from tests.support.stock_rows import NOT_BUILT, STOCK

DOCUMENT = Path(__file__).parents[2] / "docs" / "support.md"


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.run.__name__)
def test_row(row):
    row.check()


def test_the_document_is_made_of_these_rows():
    assert support.page() == DOCUMENT.read_text("utf-8"), "run `python -m benchmarks.support`"


def test_every_function_is_a_row():
    assert {row.run.__module__ for row in table.ROWS} == {pipelines.__name__, switches.__name__}


@pytest.mark.parametrize("stock", STOCK, ids=lambda stock: stock.label)
def test_stock_pipeline(stock):
    assert stock.guided() == json.loads(OUTCOMES.read_text("utf-8"))[stock.label], "run `python -m benchmarks.support`"


def test_every_pipeline_with_an_adapter_is_in_the_table():
    """Those of audio, video and depth aside, and those whose UNet has another layout, which the last line of the table names."""
    denoisers = {"UNet2DConditionModel", *TRANSFORMERS}
    named = {stock.name for stock in STOCK} | {name for names in NOT_BUILT for name in names.split(", ")}
    aside = ("Audio", "Music", "TextToVideo", "Marigold", "IF", "Kandinsky", "StableUnCLIP", "BlipDiffusion", "PaintByExample")
    aside += ("StableDiffusionImageVariation", "LDMTextToImage")
    for name in dir(diffusers):
        kind = getattr(diffusers, name)
        if name.endswith("Pipeline") and inspect.isclass(kind) and issubclass(kind, diffusers.DiffusionPipeline):
            taken = inspect.signature(kind.__init__).parameters
            types = str([taken[part].annotation for part in ("unet", "transformer") if part in taken])
            if any(f".{denoiser}'" in types for denoiser in denoisers) and not name.startswith(aside):
                assert name in named, name
