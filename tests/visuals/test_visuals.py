"""Pictures made from synthetic traces: sizes, colours where they must be, nothing cut off, no global state."""

from dataclasses import replace
from itertools import pairwise

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from PIL import Image, ImageColor

from infsplign.core.scenes import Scene
from infsplign.engine.trace import StepTrace
from infsplign.visuals import attention_overlay, comparison_sheet, trace_plot
from infsplign.visuals.attention import marker_place, object_density
from infsplign.visuals.curves import HOLDS, _spread
from infsplign.visuals.sheet import GAP, MARGIN, cell_size
from infsplign.visuals.style import colour_of

LEFT = Scene.of([("circle", "left of", "square")])
LONG = "a very long prompt about an extraordinary, $painterly$ and_detailed circle that stands to the left of a square " * 3
WORD = "pneumonoultramicroscopicsilicovolcanoconiosis"


def blob(x: float, y: float, height: int, width: int) -> torch.Tensor:
    """A bump at (x, y), in the coordinates of centroids."""
    rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    return torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 0.02)


def synthetic(places: list[list[tuple[float, float]]], *, guided: bool = True) -> list[StepTrace]:
    """A trace whose step s has its objects at `places[s]`; the second image of the batch is the first mirrored."""
    steps = []
    for number, objects in enumerate(places):
        both = [objects, [(1 - x, y) for x, y in objects]]
        maps = tuple(torch.stack([torch.stack([blob(x, y, n, n) for x, y in row]) for row in both]) for n in (6, 12))
        terms = {"spatial": torch.tensor([0.3, 0.1]), "presence": torch.tensor([0.4, 0.4]), "balance": torch.tensor([0.0, 0.1])}
        steps.append(
            StepTrace(
                number,
                999.0 - number,
                guided=True,
                loss=torch.tensor([0.5, 0.4]),
                terms=terms,
                centroid=torch.tensor(both),
                variance=torch.ones(2, len(objects)),
                gradient_norm=torch.tensor([1e-3, 2e-3]),
                shift=torch.ones(2),
                maps=maps,
            )
            if guided
            else StepTrace(number, 999.0 - number, guided=False)
        )
    return steps  # fmt: skip


def moving(steps: int = 10) -> list[StepTrace]:
    """Circle from the middle to the left, square from the middle to the right."""
    return synthetic([[(0.5 - 0.3 * s / steps, 0.5), (0.5 + 0.3 * s / steps, 0.5)] for s in range(steps)])


def picture(width: int = 96, height: int = 96) -> Image.Image:
    return Image.new("RGB", (width, height), "#cccccc")


def has_clean_border(image: Image.Image, pixels: int = 5) -> bool:
    """Nothing reaches the edge: no text is cut off."""
    values = np.asarray(image)
    inside = values[pixels:-pixels, pixels:-pixels]
    return int((values != 255).sum()) == int((inside != 255).sum())


def count(image: Image.Image, colour: str) -> int:
    return int((np.asarray(image) == np.array(ImageColor.getrgb(colour))).all(-1).sum())


def test_densities_weigh_layers_alike_and_keep_the_place():
    step = synthetic([[(0.2, 0.8), (0.8, 0.2)]])[0]
    step.maps[0].mul_(100)  # a layer with more mass must not count for more
    density = object_density(step, 0, (12, 12))
    assert density.sum() == pytest.approx(1)
    assert np.unravel_index(density.argmax(), density.shape) == pytest.approx((9, 2), abs=1)
    assert np.unravel_index(object_density(step, 0, (12, 12), row=1).argmax(), (12, 12)) == pytest.approx((9, 9), abs=1)


def test_markers_lie_on_the_cells_that_centroids_mean():
    step = synthetic([[(0.0, 1.0), (0.5, 0.5)]])[0]
    half = (0.5 / 6 + 0.5 / 12) / 2
    assert marker_place(step) == pytest.approx(np.array([[half, 1 - half], [0.5, 0.5]]))


def test_overlay_colours_where_the_attention_is():
    overlay = attention_overlay(moving(), LEFT.objects, picture(), title="a circle left of a square")
    values = np.asarray(overlay).astype(int)
    last = slice(int(overlay.width * 5 / 6), overlay.width - 25)  # the last column of six
    for row, side in ((0, "left"), (1, "right")):
        band = values[overlay.height * (row + 1) // 3 - 40 : overlay.height * (row + 1) // 3 + 40, last]
        distance = np.abs(band - np.array(ImageColor.getrgb(colour_of(row)))).sum(-1)
        place = np.median(np.nonzero(distance < 90)[1]) / band.shape[1]
        assert (place < 0.5) == (side == "left")


def test_overlay_has_a_row_an_object_and_a_column_a_step():
    square = attention_overlay(moving(), LEFT.objects, picture(), title="t")
    more = attention_overlay(synthetic([[(0.2, 0.2), (0.5, 0.5), (0.8, 0.8)]] * 10), ("a", "b", "c"), picture(), title="t")
    fewer = attention_overlay(moving(5), LEFT.objects, picture(), title="t")
    assert more.width == square.width > fewer.width
    assert more.height - square.height == pytest.approx(1.79 * 150, abs=2)
    wide = attention_overlay(moving(), LEFT.objects, picture(192, 96), title="t")
    assert (wide.width, wide.height < square.height) == (square.width, True)


@pytest.mark.parametrize("steps", [1, 2, 30])
@pytest.mark.parametrize("title", ["short", LONG])
def test_nothing_is_cut_off(steps, title):
    scene = Scene.of([("an extraordinarily long phrase", "left of", "square"), ("square", "above", WORD)])
    trace = synthetic([[(0.3, 0.1), (0.6, 0.1), (0.6, 0.11)]] * steps)
    note = "seed 9223372036854775807"
    assert has_clean_border(attention_overlay(trace, scene.objects, picture(), title=title, note=note))
    assert has_clean_border(attention_overlay(trace, scene.objects, picture(160, 64), title=title))
    assert has_clean_border(trace_plot(trace, scene, title=title, note=note))
    notes = {"unguided": ["\u2717 no " + WORD], "guided": ["\u2713 as asked"]}
    sheet = comparison_sheet({"unguided": [picture()], "guided": [picture()]}, title=title, rows=[note], notes=notes)
    assert has_clean_border(sheet, 20)


def test_plot_shades_the_steps_that_are_as_asked():
    right = Scene.of([("circle", "right of", "square")])
    as_asked, other_way = trace_plot(moving(), LEFT, title="t"), trace_plot(moving(), right, title="t")
    assert count(as_asked, HOLDS) > 5000
    assert count(other_way, HOLDS) < 50
    assert count(trace_plot(moving(), LEFT, title="t", row=1), HOLDS) < 50  # the mirrored image of the batch
    for number in (0, 1):
        assert count(as_asked, colour_of(number)) > 500


def test_plot_has_a_panel_an_axis_that_is_asked_for():
    both = Scene.of([("circle", "left of", "square"), ("square", "below", "circle")])
    assert trace_plot(moving(), both, title="t").height > trace_plot(moving(), LEFT, title="t").height + 250


def test_places_and_relations_without_a_direction_are_plotted_on_both_axes():
    def height(*triples):
        return trace_plot(moving(), Scene.of(triples), title="t").height

    ordered = height(("circle", "left of", "square"))
    for triple in (("circle", "upper left of", "square"), ("circle", "near", "square"), ("circle", "in the centre")):
        assert height(triple) > ordered + 250


def test_plot_passes_over_unguided_steps():
    mixed = [*moving(5), StepTrace(5, 100.0, guided=False), StepTrace(6, 50.0, guided=False)]
    assert has_clean_border(trace_plot(mixed, LEFT, title="t"))
    assert has_clean_border(attention_overlay(mixed, LEFT.objects, picture(), title="t"))


def test_other_scenes_and_images_than_those_of_the_trace_are_refused():
    trace, three = moving(3), Scene.of([("circle", "left of", "square"), ("square", "left of", "star")])
    for draw in (lambda scene, row: trace_plot(trace, scene, title="t", row=row),
                 lambda scene, row: attention_overlay(trace, scene.objects, picture(), title="t", row=row)):  # fmt: skip
        with pytest.raises(ValueError, match="`trace` must have the objects circle, square, star, and has 2"):
            draw(three, 0)
        with pytest.raises(ValueError, match="`row` must be one of the 2 images of the trace, from 0 on, got 2"):
            draw(LEFT, 2)
        draw(LEFT, -1)


def test_steps_without_maps_are_refused():
    unguided = synthetic([[(0.5, 0.5), (0.5, 0.5)]], guided=False)
    with pytest.raises(ValueError, match="keep_maps"):
        attention_overlay(unguided, LEFT.objects, picture(), title="t")
    with pytest.raises(ValueError, match="at least one guided step"):
        trace_plot(unguided, LEFT, title="t")


def test_matplotlib_is_left_as_it_was():
    before = dict(matplotlib.rcParams)
    attention_overlay(moving(2), LEFT.objects, picture(), title="t")
    trace_plot(moving(2), LEFT, title="t")
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("size", "shown"), [((96, 96), (288, 288)), ((64, 64), (256, 256)), ((300, 300), (300, 300)), ((512, 512), (512, 512)),
                        ((1024, 1024), (512, 512)), ((1024, 512), (512, 256)), ((160, 96), (320, 192)), ((1, 1), (288, 288))]
)  # fmt: skip
def test_cells_have_a_readable_size(size, shown):
    assert cell_size(size) == shown


def test_sheet_puts_methods_side_by_side():
    images = {"unguided": [Image.new("RGB", (96, 96), "#ff0000")] * 3, "guided": [Image.new("RGB", (96, 96), "#0000ff")] * 3}
    sheet = comparison_sheet(images, title="t", rows=["seed 0", "seed 1", "seed 2"])
    assert count(sheet, "#ff0000") == count(sheet, "#0000ff") == 3 * 288 * 288
    values = np.asarray(sheet)
    reds = np.nonzero((values == (255, 0, 0)).all(-1).any(0))[0]
    assert reds[0] == MARGIN
    assert tuple(values[(values == (255, 0, 0)).all(-1).any(1).argmax(), MARGIN + 288 + GAP]) == (0, 0, 255)


def test_sheet_shows_a_single_method():
    assert comparison_sheet({"guided": [picture()]}, title="t").width == 288 + 2 * MARGIN


@pytest.mark.parametrize("images", [{"unguided": [], "guided": []}, {"unguided": [picture()], "guided": []}])
def test_sheet_refuses_uneven_methods(images):
    with pytest.raises(ValueError, match="same number of images"):
        comparison_sheet(images, title="t")


def test_a_sheet_stretches_no_image():
    with pytest.raises(ValueError, match="`images` must have one shape, got 256 x 128 of 'guided' beside 128 x 128; crop or pad"):
        comparison_sheet({"unguided": [Image.new("RGB", (128, 128))], "guided": [Image.new("RGB", (256, 128))]}, title="t")
    comparison_sheet({"unguided": [Image.new("RGB", (128, 96))], "guided": [Image.new("RGB", (512, 384))]}, title="t")


def test_steps_that_guided_another_image_of_the_batch_do_not_count(monkeypatch):
    labels = []
    monkeypatch.setattr(Axes, "set_xlabel", lambda _axes, text, **_: labels.append(text))
    trace = [replace(step, actions=("watched", "guided") if step.step > 1 else None) for step in moving(5)]
    for row in (0, 1):
        trace_plot(trace, LEFT, title="t", row=row)
    assert labels == ["step of the sampling (guided: 2 of 5)", "step of the sampling"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_labels_are_moved_apart_in_order(places):
    moved = _spread(places, 0.1)
    order = sorted(range(len(places)), key=lambda i: places[i])
    assert all(moved[b] - moved[a] >= 0.1 - 1e-9 for a, b in pairwise(order))
    assert max(moved) <= 1 + 1e-9


def test_what_cannot_be_drawn_is_named():
    image, other = Image.new("RGB", (64, 64)), np.zeros((64, 64, 3))
    with pytest.raises(TypeError, match="`objects` must be a list of names, got the text 'cat'"):
        attention_overlay(moving(3), "cat", image, title="t")
    with pytest.raises(TypeError, match="`image` must be a PIL image, got ndarray; call the pipeline with `output_type='pil'`"):
        attention_overlay(moving(3), ["cat", "dog"], other, title="t")
    with pytest.raises(TypeError, match="`images` must be a PIL image, got str"):
        comparison_sheet({"guided": ["a.png"]}, title="t")
    with pytest.raises(ValueError, match="`rows` must have a caption for each of the 2 images, got 1"):
        comparison_sheet({"guided": [image, image]}, title="t", rows=["seed 0"])
    with pytest.raises(ValueError, match=r"`notes` must have 1 notes for each of unguided, guided, got {'guided': 1}"):
        comparison_sheet({"unguided": [image], "guided": [image]}, title="t", notes={"guided": ["right"]})
