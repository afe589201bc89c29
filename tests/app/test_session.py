"""What the page's fields are read as."""

import pytest

from infsplign.app.session import Session, generate
from infsplign.app.workshop import Workshop
from tests.app.conftest import PROMPT


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 0.5, -1.0])
def test_a_seed_that_is_no_whole_number_ends_with_a_message(value):
    fields = {"prompt": PROMPT, "model": "shapes", "relations": "", "seed": value, "steps": 2, "guidance_scale": None, "strength": 0.15}
    fields |= {"negative_prompt": "", "height": None, "width": None}
    (view,) = generate(Workshop(), Session(), fields)
    assert f"`seed` must be a whole number &gt;= 0, got {value:g}" in view.status


@pytest.mark.parametrize(("name", "value"), [("height", 16392), ("width", 8e6), ("steps", 1001), ("height", 60)])
def test_sides_and_steps_have_the_bounds_of_the_command(name, value):
    fields = {"prompt": PROMPT, "model": "shapes", "relations": "", "seed": 0, "steps": 2, "guidance_scale": None, "strength": 0.15}
    fields |= {"negative_prompt": "", "height": None, "width": None, name: value}
    (view,) = generate(Workshop(), Session(), fields)
    assert f"`--{name}` must be a" in view.status
    assert f"got {value:.0f}" in view.status
