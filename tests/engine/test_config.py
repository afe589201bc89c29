"""Options of guidance: ranges and the guided part of the sampling."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign import PAPER, RECOMMENDED, GuidanceConfig
from infsplign.core.losses import CompoundLoss, LossTerm, presence_loss
from infsplign.engine.config import PAPER_CLI, PAPER_SDXL, PUBLISHED, PUBLISHED_SDXL, check_config


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
        ("layers", {"coarse": (name for name in ["up_blocks.1"])}),
        ("layers", {"fine": ("up_blocks.1",)}),
    ],
)
def test_options_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"`{field}`"):
        GuidanceConfig(**{field: value})


PART, WHOLE = "lie in [0, 1], a part of the {}", "be a whole number >= 1"
LAYERS = "map levels (coarse or middle) to tuples of module names, each in one level"
ASKED = {
    **dict.fromkeys(("scale", "alpha", "spatial", "presence", "balance"), ("be a finite number >= 0", [-1, float("inf"), "1", None, True])),
    **dict.fromkeys(("margin", "margin_hold"), (PART.format("picture"), [-0.1, 1.1, "0", None, False])),
    **dict.fromkeys(("start", "stop", "repeats_until"), (PART.format("sampling"), [-0.1, 1.1, "0", None, True])),
    "update": ('be "epsilon" or "direct"', ["v", "EPSILON", None]),
    "plan": ("be one of auto, split, batched, checkpoint", ["half", None]),
    "max_gain": ("be a number > 0", [0, -1.0, "1", None, True]),
    **dict.fromkeys(("every", "watch_every", "repeats"), (WHOLE, [0, 1.0, "1", None, True])),
    **dict.fromkeys(("reuse", "normalise"), ("be True or False", [0, 1, "no", None])),
    "patience": ("be None or a whole number >= 1", [0, 1.0, "1", True]),
    "max_shift": ("be None or a finite number > 0", [0, -1.0, float("inf"), "1", True]),
    "penalty": ("be a function of `infsplign.core.penalties`", ["gelu", None]),
    "loss": ("be None or a `CompoundLoss`", ["paper", ()]),
    "schedule": ("be None or a function from progress to a factor", ["constant", 1.0]),
    "terms": ("be a tuple of `LossTerm`s", [[], None, ("excite",), [LossTerm("more", presence_loss)]]),
    "layers": (
        LAYERS,
        ["a", {}, {"coarse": ()}, {"coarse": "a"}, {"fine": ("a",)}, {"coarse": ("a",), "middle": ("b", 3)}, [("coarse", "a")]],
    ),
    "resize": ("be None or a whole number >= 2", [1, 0, 64.0, "64", True]),
    "wrt": ('be "input" or "latents"', ["output", None]),
}


def test_every_option_says_what_it_must_be():
    assert ASKED.keys() == {field.name for field in fields(GuidanceConfig)}
    for name, (wanted, refused) in ASKED.items():
        for value in refused:
            with pytest.raises(ValueError) as error:
                GuidanceConfig(**{name: value})
            assert str(error.value) == f"`{name}` must {wanted}, got {value!r}"


@pytest.mark.parametrize(
    "options",
    [
        dict.fromkeys(("scale", "alpha", "spatial", "presence", "balance", "margin", "margin_hold", "start", "repeats_until"), 0),
        dict.fromkeys(("margin", "margin_hold", "start", "stop", "repeats_until"), 1),
        {"max_gain": float("inf"), "max_shift": 1e-9, "scale": 1e30, "start": 0.5, "stop": 0.5},
        {"every": 1, "watch_every": 2, "repeats": 3, "patience": 1, "resize": 2, "wrt": "input", "update": "epsilon"},
        {"wrt": "latents", "update": "direct", "repeats": 1, "plan": "auto"},
        {"layers": {"coarse": ("a", "b"), "middle": ("c",)}, "schedule": float, "terms": ()},
    ],
)
def test_options_at_the_ends_of_their_ranges_are_taken(options):
    assert {name: getattr(GuidanceConfig(**options), name) for name in options} == options


@pytest.mark.parametrize("field", ["update", "wrt"])
def test_repeats_move_the_input_by_a_shift_of_the_noise(field):
    with pytest.raises(ValueError, match=f"`repeats` must be 1 with `{field}="):
        GuidanceConfig(repeats=2, **{field: {"update": "direct", "wrt": "latents"}[field]})


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


def test_the_published_configurations_are_those_of_the_paper():
    """arXiv 2512.17851: the sweep for Stable Diffusion, that for SDXL, and the command line's defaults."""
    names = ("scale", "alpha", "margin", "spatial", "presence", "balance", "start", "stop", "update", "resize", "wrt")
    sweep = (1000.0, 1.5, 0.25, 0.5, 1.0, 1.0, 0.0, 1.0)
    found = {config: tuple(getattr(config, name) for name in names) for config in (PAPER, PAPER_SDXL, PAPER_CLI, PUBLISHED, PUBLISHED_SDXL)}
    assert found[PAPER] == (*sweep, "epsilon", None, "input")
    assert found[PUBLISHED] == (*sweep, "direct", 64, "latents")
    assert found[PAPER_SDXL] == (1000.0, 1.5, 0.5, *sweep[3:], "epsilon", None, "input")
    assert found[PUBLISHED_SDXL] == (1000.0, 1.5, 0.5, *sweep[3:], "direct", 64, "latents")
    assert found[PAPER_CLI] == (1000.0, 0.75, 0.25, 1.0, *sweep[4:], "epsilon", None, "input")


def test_several_gradients_are_taken_early_only():
    config = GuidanceConfig(repeats=3, repeats_until=0.5)
    assert [config.gradients(progress) for progress in (0.0, 0.49, 0.5, 0.9)] == [3, 3, 1, 1]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("scale=1", "`config` must be a GuidanceConfig or None, got str 'scale=1'"),
        ({"scale": 5, "stop": 0.5}, "`config` must be a GuidanceConfig or None, got dict {'scale': 5, 'stop': 0.5}; write "
                                    "GuidanceConfig(scale=5, stop=0.5)"),
    ],
)  # fmt: skip
def test_something_else_than_options_is_refused(config, message):
    check_config(None)
    check_config(GuidanceConfig())
    with pytest.raises(TypeError) as error:
        check_config(config)
    assert str(error.value) == message


def test_a_layer_has_one_level():
    with pytest.raises(ValueError, match="`layers` must map levels .* to tuples of module names, each in one level, got"):
        GuidanceConfig(layers={"coarse": ("a", "b"), "middle": ("b",)})


def test_an_option_that_is_misspelt_has_a_hint():
    with pytest.raises(TypeError, match="no option 'maxshift'; did you mean 'max_shift'"):
        PAPER.with_(maxshift=0.1)
    with pytest.raises(TypeError, match=r"no option 'colour'; it has \['scale', "):
        PAPER.with_(colour=1)


def test_a_bound_beyond_the_noise_is_warned_of(recwarn):
    PAPER.with_(max_shift=1.0)
    assert not recwarn
    with pytest.warns(UserWarning, match="`max_shift` 15 lets the shift be larger than the noise") as told:
        wide = PAPER.with_(max_shift=15)
    assert told[0].filename == __file__
    wide.with_(plan="split")  # as each call of the pipeline does
    assert not recwarn, "it has been told"


def test_a_normalised_shift_beyond_the_noise_is_warned_of(recwarn):
    """The default `scale`, 1000, is a factor of the gradient; with `normalise` it would be the shift's size."""
    PAPER.with_(normalise=True, scale=0.05)
    RECOMMENDED.with_(normalise=True)  # has a bound
    assert not recwarn
    for make in (
        lambda: PAPER.with_(normalise=True),
        lambda: GuidanceConfig(normalise=True),
        lambda: RECOMMENDED.with_(normalise=True).with_(max_shift=None),
    ):
        with pytest.warns(UserWarning, match=r"`scale` \d000 makes the shift larger than the noise: with `normalise`") as told:
            large = make()
        assert told[0].filename == __file__
    large.with_(plan="split")
    assert not recwarn, "it has been told"


def test_gradients_that_no_guided_step_would_repeat_are_refused():
    told = "`repeats_until` must be above `start`, 0.3, where `repeats` is above 1, got 0.25: no guided step would repeat its gradient"
    with pytest.raises(ValueError) as error:
        GuidanceConfig(repeats=3, start=0.3)
    assert str(error.value) == told
    GuidanceConfig(repeats=3, start=0.3, repeats_until=0.4)
    GuidanceConfig(start=0.3)
    GuidanceConfig(repeats=3, start=0.3, stop=0.3)  # guides no step at all


@pytest.mark.parametrize("given", [None, "half", (1.0, 2.0)])
def test_a_schedule_that_gives_no_number_is_named(given):
    with pytest.raises(TypeError, match="`schedule` must give a number, got .* at progress 0.5"):
        GuidanceConfig(schedule=lambda progress: given).weight(0.5)


def test_options_do_not_change_with_the_lists_that_they_were_made_of():
    """In a sweep over layers, all options would name the last one."""
    layers, names = {"coarse": ("a",)}, ["b"]
    first, second = RECOMMENDED.with_(layers=layers), GuidanceConfig(layers={"middle": names})
    layers["coarse"] = ("c",)
    names.append("d")
    assert (first.layers, second.layers) == ({"coarse": ("a",)}, {"middle": ("b",)})
    levels = ["coarse"]
    term = LossTerm("mine", lambda o, s: o.mass.sum(-1), levels=levels)
    loss = CompoundLoss(terms := [term])
    levels.append("middle")
    terms.append(term)
    assert (term.levels, loss.terms) == (("coarse",), (term,))
