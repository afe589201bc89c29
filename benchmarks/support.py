"""Runs every row of the support table and writes docs/support.md.

python -m benchmarks.support
"""

import logging
from pathlib import Path

from tests.support import pipelines, switches  # noqa: F401  they register the rows
from tests.support.table import ROWS, markdown

INTRODUCTION = """# What guidance gets along with

Every row is a test (`tests/support`), run on tiny pipelines of the real classes with random weights, on a CPU; this page is written by
`python -m benchmarks.support`. "Works" means: every step is guided, the images move, scale 0 leaves them bit-identical, nothing is left
behind on the pipeline, and where there is a plain counterpart the gradient is the same. Families and their layers: `infsplign describe`.

"""


def main() -> None:
    logging.disable(logging.WARNING)  # of the libraries, about tiny models
    for row in ROWS:
        row.check()
        print(row.line())
    Path("docs/support.md").write_text(INTRODUCTION + markdown(), "utf-8")


if __name__ == "__main__":
    main()
