"""Options of guidance: ranges and the guided part of the sampling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign import GuidanceConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scale", -1.0),
        ("scale", float("nan")),
        ("alpha", float("inf")),
        ("presence", -0.1),
        ("margin", 1.5),
        ("margin", -0.1),
        ("start", -0.1),
        ("stop", 1.1),
        ("update", "raw"),
        ("max_gain", 0.0),
        ("scale", "x"),
        ("scale", True),
        ("margin", "0.1"),
        ("start", None),
        ("max_shift", "big"),
        ("normalise", "no"),
        ("reuse", 1),
        ("penalty", "gelu"),
        ("loss", "paper"),
        ("layers", ("up_blocks.1",)),
        ("layers", {}),
        ("layers", {"coarse": ()}),
        ("layers", {"coarse": "up_blocks.1"}),
        ("layers", {"fine": ("up_blocks.1",)}),
    ],
)
def test_options_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"`{field}`"):
        GuidanceConfig(**{field: value})


def test_an_empty_window_before_its_start_is_refused():
    with pytest.raises(ValueError, match="`start` and `stop`"):
        GuidanceConfig(start=0.6, stop=0.5)


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1))
def test_the_window_guides_one_run_of_steps(steps, a, b):
    config = GuidanceConfig(start=min(a, b), stop=max(a, b))
    guided = [step for step in range(steps) if config.within(step / steps)]
    assert guided == list(range(guided[0], guided[-1] + 1)) if guided else True
    assert abs(len(guided) - steps * (config.stop - config.start)) <= 1
    assert not any(config.with_(scale=0.0).within(step / steps) for step in range(steps))
