"""The Python of `docs/visuals.md` runs on a tiny pipeline as a reader would paste it."""

import re
from pathlib import Path

import pytest
from PIL import Image

import infsplign.visuals
from tests import tiny

PAGE = (Path(__file__).parents[2] / "docs" / "visuals.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The namespace that all blocks leave, run in order, and the folder that they wrote to."""
    folder, namespace = tmp_path_factory.mktemp("visuals"), {"pipe": tiny.sd()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, block in enumerate(BLOCKS):
            exec(compile(block, f"visuals.md, block {number}", "exec"), namespace)
    return namespace, folder


def test_each_figure_is_written(page):
    namespace, folder = page
    for name, variable in (("sheet", "sheet"), ("attention", "overlay"), ("trace", "curves")):
        with Image.open(folder / f"{name}.png") as written:
            assert written.size == namespace[variable].size
            assert len(set(written.convert("RGB").resize((64, 64)).get_flattened_data())) > 10  # something is drawn


def test_the_guided_images_differ_from_the_unguided(page):
    namespace, _ = page
    assert all(a.tobytes() != b.tobytes() for a, b in zip(namespace["unguided"], namespace["guided"], strict=True))
    assert all(any(step.maps for step in trace) for trace in namespace["traces"])


def test_every_function_is_on_the_page_and_every_picture_exists():
    for name in infsplign.visuals.__all__:
        assert f"| `{name}` |" in PAGE
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / link).exists(), link


def test_lines_are_as_long_as_elsewhere():
    assert max(len(line) for block in BLOCKS for line in block.splitlines()) <= 140
