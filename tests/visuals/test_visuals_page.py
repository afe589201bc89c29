"""The Python of `docs/visuals.md` runs on a tiny pipeline as a reader would paste it."""

import pytest
from PIL import Image

import infsplign.visuals
from tests import tiny
from tests.pages import Page

PAGE = Page("docs/visuals.md")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The namespace that all blocks leave, run in order, and the folder that they wrote to."""
    folder = tmp_path_factory.mktemp("visuals")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        namespace, _ = PAGE.run({"pipe": tiny.sd()})
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
        assert f"| `{name}` |" in PAGE.text
    assert PAGE.broken_links() == []


def test_lines_are_as_long_as_elsewhere():
    assert PAGE.longest_line() <= 140
