"""The README's first picture: prompts that the stock pipeline gets wrong, and what guidance makes of the same seeds.

python -m benchmarks.first_picture out/heldout-pictures --out docs/images/first.png

The rule: the first held-out prompts, in the order of the split, that name a cat, a dog, a car or a banana, and whose relation holds in at
most half of the four unguided images; all four images of each. What guidance makes of them plays no part in the choice.
"""

import argparse
from pathlib import Path

from PIL import Image

from benchmarks.cases import records, verdict
from infsplign.visuals.style import INK, LABEL, MUTED, drawing, rendered

ROWS = {"unguided": "stock\npipeline", "infsplign": "with\ninfsplign"}
NOUNS = {"cat", "dog", "car", "banana"}
"""Of which a prompt names at least one."""


def chosen(run: Path, count: int) -> list[list[str]]:
    """Keys of the images of the first `count` prompts of the rule."""
    known = records(run, "unguided")
    prompts: dict[str, list[str]] = {}
    for key in known:
        prompts.setdefault(key.rpartition("_")[0], []).append(key)
    named = {start: NOUNS & set(known[keys[0]]["prompt"].split()) for start, keys in prompts.items()}
    half = {start: 2 * sum(known[key]["correct"] for key in keys) <= len(keys) for start, keys in prompts.items()}
    return [keys for start, keys in prompts.items() if named[start] and half[start]][:count]


def picture(run: Path, count: int) -> Image.Image:
    """The picture of `count` prompts of a run of `infsplign eval world`."""
    known = {method: records(run, method) for method in ROWS}
    groups = chosen(run, count)
    columns = sum(map(len, groups))
    with drawing(1.4 * columns + 0.7, 3.6) as figure:
        grid = figure.add_gridspec(2, columns, left=0.06, right=0.998, top=0.9, bottom=0.06, wspace=0.04, hspace=0.14)
        for row, (method, name) in enumerate(ROWS.items()):
            for column, key in enumerate(key for keys in groups for key in keys):
                axes = figure.add_subplot(grid[row, column])
                axes.imshow(Image.open(run / method / f"{key}.png"), interpolation="lanczos")
                axes.set_xticks([])
                axes.set_yticks([])
                for spine in axes.spines.values():
                    spine.set_visible(False)
                found = known[method][key]
                if row == 0 and key.endswith("_00"):
                    axes.set_title(found["prompt"], fontsize=LABEL, color=INK, loc="left")
                if column == 0:
                    axes.set_ylabel(name, fontsize=LABEL, color=INK, rotation=0, ha="right", va="center")
                told, colour = ("as asked", INK) if found["strict"] else (verdict(found).partition(",")[0], MUTED)
                axes.set_xlabel(told.replace("an object is missing", "object missing"), fontsize=LABEL - 1.5, color=colour)
        return rendered(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of `infsplign eval world` with the methods unguided and infsplign")
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    picture(options.run, options.count).save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
