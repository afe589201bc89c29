"""The fields of the page, without a browser."""

import gradio as gr
import pytest

from infsplign.app.page import build
from infsplign.app.workshop import Workshop
from infsplign.engine.config import RECOMMENDED
from infsplign.generation.options import GenerateOptions


def fields(workshop, kind, models=("shapes", "shapes-sd3")):
    """The components of a kind, by the first word of their labels."""
    page = build(workshop, models)
    return {str(block.label).split()[0]: block for block in page.blocks.values() if isinstance(block, kind)}


@pytest.mark.parametrize(("bound", "most"), [(0.8, 0.8), (0.083, 0.5)])
def test_the_slider_of_the_strength_has_room_for_the_bound_of_the_preset(tmp_path, bound, most):
    """Gradio refuses a value beyond the slider's end, and the page would not say why."""
    RECOMMENDED.with_(max_shift=bound).save(tmp_path / "preset.json")
    strength = fields(Workshop(GenerateOptions(preset=tmp_path / "preset.json")), gr.Slider)["strength"]
    assert (strength.value, strength.maximum) == (bound, most)
    assert strength.label == f"strength (own: {bound:g})"


def test_a_bound_that_is_not_known_before_the_model_is_loaded_is_not_named():
    strength = fields(Workshop(), gr.Slider, ["some/folder", "shapes"])["strength"]
    assert (strength.value, strength.label) == (0.15, "strength")


def test_sliders_that_depend_on_the_model_have_no_arrow_back_to_the_first_one():
    sliders = fields(Workshop(), gr.Slider)
    assert [sliders[name].buttons for name in ("strength", "steps")] == [[], []]


def test_whole_numbers_are_not_rounded():
    """1.7 would be sampled as 2 and shown as 1.7."""
    numbers = fields(Workshop(), gr.Number)
    assert [numbers[name].preprocess(104.3) for name in ("seed", "height", "width")] == [104.3] * 3
