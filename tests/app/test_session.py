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
