"""The README's first picture: the first held-out prompts, the first image of each, unguided above and guided below. Nothing is picked.

python -m benchmarks.first_picture out/heldout-pictures --out docs/images/first.png

The rule: the prompts in the order of the split, and of each the image with index 0.
"""

import argparse
import textwrap
from pathlib import Path

from PIL import Image

from benchmarks.cases import records, verdict
from infsplign.visuals.style import INK, LABEL, MUTED, drawing, rendered

ROWS = {"unguided": "stock\npipeline", "infsplign": "with\ninfsplign"}


def picture(run: Path, count: int) -> Image.Image:
    """The picture of the first `count` prompts of a run of `infsplign eval world`."""
    known = {method: records(run, method) for method in ROWS}
    keys = [key for key in known["unguided"] if key.endswith("_00")][:count]
    with drawing(1.85 * count + 0.7, 4.7) as figure:
        grid = figure.add_gridspec(2, count, left=0.06, right=0.998, top=0.865, bottom=0.045, wspace=0.04, hspace=0.12)
        for row, (method, name) in enumerate(ROWS.items()):
            for column, key in enumerate(keys):
                axes = figure.add_subplot(grid[row, column])
                axes.imshow(Image.open(run / method / f"{key}.png"), interpolation="lanczos")
                axes.set_xticks([])
                axes.set_yticks([])
                for spine in axes.spines.values():
                    spine.set_visible(False)
                found = known[method][key]
                if row == 0:
                    axes.set_title(textwrap.fill(found["prompt"], 22), fontsize=LABEL, color=INK)
                if column == 0:
                    axes.set_ylabel(name, fontsize=LABEL, color=INK, rotation=0, ha="right", va="center")
                axes.set_xlabel(
                    "as asked" if found["strict"] else verdict(found), fontsize=LABEL - 1, color=INK if found["strict"] else MUTED
                )
        return rendered(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of `infsplign eval world` with the methods unguided and infsplign")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    picture(options.run, options.count).save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
