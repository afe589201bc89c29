"""Runs every row of the support table and writes docs/support.md.

python -m benchmarks.support
"""

import json
import logging
from pathlib import Path

from infsplign.adapters import FAMILIES, TRANSFORMERS
from tests.support import pipelines, switches  # noqa: F401  they register the rows
from tests.support.stock_rows import NOT_BUILT, STOCK
from tests.support.table import ROWS, markdown

INTRODUCTION = """# What works with guidance

Every row is a test (`tests/support`). The tests run on tiny pipelines of the real classes, with random weights, on a CPU.
`python -m benchmarks.support` writes this page. "Works" means: every step is guided, the images change, scale 0 leaves them
bit-identical, the pipeline is restored after the block, and the gradient equals that of the plain pipeline where there is one.

## Families

All of these pass `infsplign.testing.check_attention_source` and run through their stock pipelines (`tests/pipelines`): batches of
prompts, several images a prompt, sizes that are not square, bfloat16. Kolors' tokenizer has no offsets, so Kolors needs explicit
`token_indices`. Tokenizers joined by `=` share their positions; a tokenizer after a `+` has the positions that follow.
`infsplign describe --model ...` prints the tapped layers.

"""
SURROUNDINGS = """
## Pipelines, extensions and settings

"""
PIPELINES = """
## Pipelines of diffusers 0.42

Every text-to-image, image-to-image and inpainting pipeline whose denoiser has an adapter, called as its signature asks
(`tests/support/stock_rows.py`).

"""
OUTCOMES = Path("tests/support/stock.json")
PLACE = {"all": "every key is text", "first": "joint, text first", "last": "joint, image first"}


def families() -> str:
    """A line for each family."""
    lines = ["| family | denoiser | tokenizers on the text axis | keys | rows |", "|---|---|---|---|---|"]
    denoisers = {backbone.name: name for name, backbone in TRANSFORMERS.items()}
    for name, backbone in FAMILIES.items():
        axis = "".join((" = " if s.beside else " + ") + f"`{s.tokenizer}`" for s in backbone.segments).removeprefix(" + ")
        lines.append(f"| {name} | {denoisers.get(name, 'UNet2DConditionModel')} | {axis} | {PLACE[backbone.text]} | {backbone.layout} |")
    return "\n".join(lines) + "\n"


def pipelines_table() -> str:
    """A line for each stock pipeline, as the outcomes in `OUTCOMES` have it."""
    outcomes = json.loads(OUTCOMES.read_text("utf-8"))
    lines = ["| pipeline | family | with guidance |", "|---|---|---|"]
    lines += [f"| {stock.label} | {stock.family} | {outcomes[stock.label]} |" for stock in STOCK]
    lines += [f"| {names} | | not run: {why} |" for names, why in NOT_BUILT.items()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page."""
    return INTRODUCTION + families() + PIPELINES + pipelines_table() + SURROUNDINGS + markdown()


def main() -> None:
    logging.disable(logging.WARNING)  # of the libraries, about tiny models
    for row in ROWS:
        row.check()
        print(row.line())
    OUTCOMES.write_text(json.dumps({stock.label: stock.guided() for stock in STOCK}, indent=1) + "\n", "utf-8")
    Path("docs/support.md").write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
