"""`Steps`: one state for one sampling, with a denoiser that is known in closed form."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from infsplign import GuidanceConfig, NonFiniteGradientError, Scene, Steps
from infsplign.core.attention import AttentionMap
from infsplign.core.losses import CompoundLoss, LossTerm
from infsplign.core.penalties import relu
from infsplign.engine.guidance import Guidance
from infsplign.engine.passes import Passes
from infsplign.engine.weight_schedules import linear_decay

SCENE = Scene.of([("circle", "left of", "square")])
TIMES = torch.tensor([900, 700, 500, 300, 100])


class Linear(torch.nn.Module):
    """Its "attention" is a softmax over three tokens of a projection of each pixel; it predicts twice its input."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.project = torch.nn.Linear(2, 3)
        self.seen = []

    def forward(self, sample, timestep=None, text=None):
        self.seen.append(sample.detach().clone())
        self.probabilities = self.project(sample.flatten(2).transpose(1, 2)).softmax(-1)[:, None]
        return 2 * sample


class Source:
    def __init__(self, model):
        self.model = model

    @contextmanager
    def record(self, sample, *_args, **_kwargs):
        maps = []
        yield maps
        grid = tuple(sample.shape[-2:])
        maps.extend(AttentionMap(self.model.probabilities, grid, level, level) for level in ("coarse", "middle"))


def made(**options):
    model = Linear()
    return model, Guidance(model, Source(model), SCENE, [[0], [1]], GuidanceConfig(**options))


def run(steps, rows=1, x=None, times=TIMES):
    """A sampler that moves against the prediction; returns the outputs and what was added to them."""
    x = torch.randn(rows, 2, 5, 6, generator=torch.Generator().manual_seed(1)) if x is None else x
    shifts = []
    for t in times:
        output = steps(x, t)
        shifted = steps.shifted(output, latents=x)
        shifts.append(shifted - output)
        x = x - 0.1 * shifted
    return shifts


def test_window_decay_and_scale_in_one_place():
    _, guidance = made(scale=10.0, stop=0.6, schedule=linear_decay)
    steps = Steps(guidance, TIMES)
    shifts = run(steps)
    assert [step.guided for step in steps.trace] == [True] * 3 + [False] * 2
    assert [step.weight for step in steps.trace[:3]] == pytest.approx([1, 2 / 3, 1 / 3])
    for step, shift in zip(steps.trace[:3], shifts, strict=False):
        assert torch.allclose(shift.flatten(1).norm(dim=1), 10.0 * step.weight * step.gradient_norm, rtol=1e-4)
    assert all(torch.equal(shift, torch.zeros_like(shift)) for shift in shifts[3:])
    assert (steps.passes.guided, steps.passes.plain) == (3, 2)
    assert [step.timestep for step in steps.trace] == TIMES.tolist()


@pytest.mark.parametrize(("prediction", "factor"), [("v_prediction", 1.25), ("sample", -0.75), ("flow", 1 / 0.4)])
def test_the_shift_is_said_in_the_model_s_terms(prediction, factor):
    _, guidance = made(scale=3.0)
    sigmas = [0.6] * 5 if prediction == "flow" else [0.75] * 5  # alpha 0.8, sigma 0.6
    shift = run(Steps(guidance, TIMES, sigmas=sigmas, prediction=prediction))[0]
    noise = run(Steps(made(scale=3.0)[1], TIMES))[0]
    assert torch.allclose(shift, factor * noise, rtol=1e-4, atol=1e-6)


def test_repeats_are_taken_where_the_latents_would_be():
    model, guidance = made(scale=5.0, repeats=2, repeats_until=0.1)
    steps = Steps(guidance, TIMES, sigmas=[0.75] * 5)
    x = torch.randn(1, 2, 4, 4)
    steps(x, TIMES[0])
    first = guidance.run(x, (), {}).gradient
    assert torch.allclose(model.seen[1], x - 0.6 * 5.0 * first, atol=1e-5)
    assert len(steps.found.repeated) == 1


def test_levels_are_asked_for_where_they_are_needed():
    for options, prediction, why in (
        ({"repeats": 2}, "epsilon", "`repeats` move the latents by them"),
        ({}, "v_prediction", "a shift of the noise becomes one of 'v_prediction'"),
    ):
        with pytest.raises(ValueError, match=f"`sigmas` must be given, one a timestep: {why}"):
            Steps(made(**options)[1], TIMES, prediction=prediction)
    Steps(made(update="direct")[1], TIMES, prediction="v_prediction")


def test_a_step_must_be_ended_and_begun():
    steps = Steps(made()[1], TIMES)
    with pytest.raises(RuntimeError, match="`shifted` must follow a pass"):
        steps.shifted(torch.zeros(1, 2, 4, 4))
    steps(torch.randn(1, 2, 4, 4), TIMES[0])
    steps(torch.randn(1, 2, 4, 4), TIMES[0])  # a further pass of the same step runs as it is
    assert (steps.passes.guided, steps.passes.plain) == (1, 1)
    with pytest.raises(RuntimeError, match="`shifted` must be called once a step.*900"):
        steps(torch.randn(1, 2, 4, 4), TIMES[1])


def test_the_first_pass_is_in_the_units_of_the_timesteps():
    """Else every step would lie at one end of the window, and be guided or not, without a word."""
    for wrong in (0.9, torch.tensor(0.9), 90_000):
        with pytest.raises(ValueError, match="must begin at one of `timesteps`, 900 to 100, got"):
            Steps(made()[1], TIMES)(torch.randn(1, 2, 4, 4), wrong)


@pytest.mark.parametrize("options", [{"every": 2, "reuse": True}, {"patience": 1}])
def test_a_second_sampling_needs_steps_of_its_own(options):
    """Its first step would be shifted by the gradient of the sampling before, or pause as that one did."""
    steps = Steps(made(**options)[1], TIMES)
    run(steps)
    with pytest.raises(RuntimeError, match="one sampling, which has ended: make a new one"):
        run(steps)


def test_without_a_memory_steps_may_be_taken_again():
    """RePaint goes back to noisier latents, also after the last step."""
    steps = Steps(made()[1], TIMES)
    shifts = run(steps), run(steps)
    assert all(torch.equal(one, other) for one, other in zip(*shifts, strict=True))


def test_the_last_step_is_checked_though_its_timestep_is_rounded():
    steps = Steps(made()[1], [0.9, 0.7])
    x = torch.randn(1, 2, 4, 4)
    steps.shifted(steps(x, torch.tensor(0.9)))
    output = steps(x, torch.tensor(0.7))
    with pytest.raises(NonFiniteGradientError):
        steps.shifted(output * float("nan"))


def test_an_output_of_another_shape_is_refused():
    steps = Steps(made()[1], TIMES)
    steps(torch.randn(2, 2, 4, 4), TIMES[0])
    with pytest.raises(ValueError, match=r"`output` must have the shape.*\(2, 2, 4, 4\), got \(1, 2, 4, 4\)"):
        steps.shifted(torch.zeros(1, 2, 4, 4))


def test_pauses_leave_rows_alone():
    _, guidance = made(scale=50.0, patience=1, max_shift=0.001)
    steps = Steps(guidance, TIMES)
    shifts = run(steps, rows=4)
    for before, step, shift in zip(steps.trace, steps.trace[1:], shifts[1:], strict=False):
        moved = [bool(row.abs().max() > 0) for row in shift]
        assert [not held for held in before.holds.tolist()] == moved
        assert step.bounded is None or [factor < 1 for factor in step.bounded.tolist()] == moved
        assert step.watched == (not any(moved))


@pytest.mark.parametrize(
    "term", [lambda o, s: 0.0 * o.mass.sum(-1) + 1.0, lambda o, s: o.mass.sum(-1).sign()], ids=["nothing", "a function without slope"]
)
def test_case_6_a_total_without_slope_is_an_error_that_names_its_terms(term):
    _, guidance = made(loss=CompoundLoss((LossTerm("mine", term),)))
    with pytest.raises(ValueError, match="exactly zero in every row at step 0.*'mine'"):
        run(Steps(guidance, TIMES))
    with pytest.raises(ValueError, match="exactly zero"):  # at once where no step follows
        run(Steps(guidance, TIMES[:1]), times=TIMES[:1])


def test_a_total_without_slope_in_one_row_is_told():
    _, guidance = made(loss=CompoundLoss((LossTerm("mine", lambda o, s: torch.stack((o.mass[0].sum(), o.mass[1].sum().detach()))),)))
    with pytest.warns(UserWarning, match="zero in row 1 of 2 .* at step 0.*'mine'"):
        run(Steps(guidance, TIMES), rows=2)


def test_two_samplings_of_one_guidance_count_their_own_rows():
    _, guidance = made()
    both = Steps(guidance, TIMES), Steps(guidance, TIMES)
    for time in TIMES:
        for steps in both:
            steps.shifted(steps(torch.randn(1, 2, 5, 6), time))
    assert [steps.passes for steps in both] == [Passes(guided=len(TIMES))] * 2


def test_other_rows_than_before_do_not_reuse_a_gradient():
    """The batch grows before a step that would reuse one."""
    steps = Steps(made(every=3, reuse=True)[1], TIMES)
    run(steps, times=TIMES[:2])
    run(steps, rows=3, times=TIMES[2:])
    assert [step.guided for step in steps.trace] == [True, False, True, True, False]
    assert [step.reused for step in steps.trace] == [False, True, False, False, True]
    assert [len(step.shift) for step in steps.trace] == [1, 1, 3, 3, 3]


def test_a_term_of_one_s_own_that_is_satisfied_is_told_and_no_error():
    _, guidance = made(loss=CompoundLoss((LossTerm("mine", lambda o, s: (0.0 * o.mass.sum(-1)).relu()),)))
    with pytest.warns(UserWarning, match="loss and its gradient are exactly zero in every row at step 0.*'mine'"):
        assert not any(shift.any() for shift in run(Steps(guidance, TIMES)))


@pytest.mark.parametrize(
    ("options", "told"),
    [({"scale": 1e5}, 1), ({"scale": 1.0}, 0), ({"scale": 1e5, "max_shift": 0.1}, 0), ({"scale": 0.1, "normalise": True}, 0)],
)
def test_a_shift_larger_than_the_noise_is_told_once_a_sampling(options, told):
    steps = Steps(made(**options)[1], TIMES)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        run(steps)
    assert len([warning for warning in found if "is larger than the noise" in str(warning.message)]) == told
    assert max(float(step.shift.max()) for step in steps.trace if step.shift is not None) > 1 or not told


def test_the_factor_of_the_input_may_be_one_a_row():
    """As k-diffusion gives its sigmas. The norm in the trace stays that of the gradient with respect to the denoiser's input."""
    x, shifts, norms = torch.randn(6, 2, 5, 6, generator=torch.Generator().manual_seed(1)), [], []
    for factor in (0.5, torch.full((6,), 0.5), None, [0.5] * 6, np.full(6, 0.5), np.float64(0.5), torch.full((6, 1, 1, 1), 0.5)):
        steps = Steps(made(wrt="latents")[1], TIMES)
        output = steps(x, TIMES[0])
        shifts.append(steps.shifted(output, input_factor=factor) - output)
        norms.append(steps.trace[0].gradient_norm)
    for other in (shifts[1], *shifts[3:]):
        assert torch.equal(shifts[0], other)
    assert torch.allclose(2 * shifts[0], shifts[2], atol=1e-6)
    assert torch.equal(norms[0], norms[2])


def test_a_scene_that_holds_may_rest():
    """From the margin on a penalty may cost nothing: that is no error."""
    model, guidance = made(scale=1.0, penalty=relu, presence=0.0, balance=0.0, margin=0.0)
    x = torch.randn(1, 2, 5, 6)
    x[..., :3], x[..., 3:] = 0.0, 0.0
    with torch.no_grad():
        model.project.weight.copy_(torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 0.0]]))
    x[:, 0, :, :3], x[:, 0, :, 3:] = 1.0, -1.0  # the circle's attention on the left, the square's on the right
    shifts = run(Steps(guidance, TIMES), x=x)
    assert all(torch.equal(shift, torch.zeros_like(shift)) for shift in shifts)


@pytest.mark.parametrize(
    ("where", "message"),
    [("term", "loss term 'mine' is not finite at step 0"), ("slope", "gradient of the loss is not finite.*'mine'"),
     ("output", "own output is not finite"), ("latents", "latents are not finite.*rescale_betas_zero_snr"), ("scale", "Lower `scale`")],
)  # fmt: skip
def test_case_26_what_is_not_finite_is_named(where, message):
    terms = {
        "term": lambda o, s: o.mass.sum(-1) * float("nan"),
        "slope": lambda o, s: (o.mass.sum(-1) - o.mass.sum(-1)).sqrt(),
    }
    options = {"terms": (LossTerm("mine", terms[where]),)} if where in terms else {}
    options |= {"scale": 3e38, "spatial": 1e6} if where == "scale" else {}
    steps = Steps(made(**options)[1], TIMES)
    x = torch.randn(1, 2, 4, 4)
    output = steps(x, TIMES[0])
    if where == "latents":
        x = x * float("nan")
    steps.shifted(output * float("nan") if where in ("output", "latents") else output, latents=x)
    with pytest.raises(NonFiniteGradientError, match=message) as error:
        steps(x, TIMES[1])
    assert error.value.step == 0
    assert error.value.latents is x


def test_the_options_of_the_window_reach_second_order_passes_between_steps():
    """A pass between two timesteps has the progress between theirs."""
    _, guidance = made(stop=0.3)
    steps = Steps(guidance, TIMES)
    run(steps, times=[900, 800, 750, 700, 600, 500])
    assert [step.guided for step in steps.trace] == [True] * 4 + [False, False]


def test_the_trace_counts_steps_and_tells_how_each_was_computed():
    _, guidance = made(scale=10.0, every=2, reuse=True, stop=0.7, plan="auto")
    steps = Steps(guidance, TIMES, keep_maps=True)
    run(steps, rows=2)
    assert [step.step for step in steps.trace] == [0, 1, 2, 3, 4]
    assert [(step.guided, step.reused, step.watched) for step in steps.trace] == [
        (True, False, False), (False, True, False), (True, False, False), (False, True, False), (False, False, False)]  # fmt: skip
    assert [step.plan for step in steps.trace] == ["split", None, "split", None, None]
    assert [[tuple(maps.shape) for maps in step.maps] for step in steps.trace] == [[(2, 2, 5, 6)] * 2, [], [(2, 2, 5, 6)] * 2, [], []]
    first, second, *_ = steps.trace
    assert first.loss.shape == first.gradient_norm.shape == first.shift.shape == (2,)
    assert (second.loss, second.gradient_norm, second.centroid) == (None, None, None)
    assert torch.equal(second.shift, first.shift)  # the same gradient, at a constant weight
    assert steps.needed == steps.passes
    assert (steps.passes.guided, steps.passes.plain) == (4, 6)
    assert Steps(made()[1], TIMES).keep_maps is False


@pytest.mark.parametrize("patience", [None, 1])
def test_what_a_look_finds_is_kept_only_where_rows_may_pause(patience):
    steps = Steps(made(patience=patience)[1], TIMES)
    run(steps, rows=2)
    assert all((step.holds is None) == (patience is None) for step in steps.trace if step.loss is not None)


def test_the_gradient_to_the_latents_has_the_factor_of_the_input():
    """Schedulers of the Karras kind divide the latents by `sqrt(sigma^2 + 1)`."""
    shifts = {}
    for wrt in ("input", "latents"):
        steps, x = Steps(made(scale=10.0, wrt=wrt)[1], TIMES), torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
        for factor in (None, 0.25, torch.tensor(0.5)):
            number = len(steps.trace)
            output = steps(x, TIMES[number])
            shifts[wrt, number] = steps.shifted(output, input_factor=factor) - output
    for step, factor in enumerate((1.0, 0.25, 0.5)):
        torch.testing.assert_close(shifts["latents", step], factor * shifts["input", step], rtol=1e-3, atol=1e-6)


def test_a_shift_has_the_type_of_the_output():
    steps = Steps(made(scale=10.0)[1], TIMES)
    output = steps(torch.randn(1, 2, 4, 4), TIMES[0])
    assert steps.shifted(output.half()).dtype == torch.float16


def test_a_step_of_scale_zero_gives_back_the_output_itself():
    steps = Steps(made(scale=0.0)[1], TIMES)
    output = steps(torch.randn(1, 2, 4, 4), TIMES[0])
    assert steps.shifted(output) is output
    assert steps.trace[0].guided is False


@pytest.mark.parametrize("levels", [("coarse", "middle"), ("coarse",)])
def test_an_object_that_no_position_attends_to_is_told(levels):
    """As where its tokens are masked: its map is empty, its centroid in the middle, and it has no gradient."""
    _, guidance = made(scale=1.0)
    whole, record = guidance.source, guidance.source.record

    @contextmanager
    def masked(sample, *args, **kwargs):
        with record(sample, *args, **kwargs) as maps:
            yield maps
        for number, found in enumerate(maps):
            if found.level in levels:
                kept = torch.tensor([[[1.0, 1.0, 1.0]], [[1.0, 0.0, 1.0]]])[:, None]  # of the second row alone
                maps[number] = AttentionMap(found.probabilities * kept, found.grid, found.layer, found.level)

    whole.record = masked
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run(Steps(guidance, TIMES), rows=2)
    expected = ["the attention to 'square' is exactly 0 at step 0, the first guided one"] if len(levels) == 2 else []
    assert [str(one.message).split(", so")[0] for one in told] == expected


@pytest.mark.parametrize("factor", [torch.ones(3), [0.5, 0.5, 0.5], torch.ones(2, 5)])
def test_factors_of_other_rows_are_refused(factor):
    steps = Steps(made(wrt="latents")[1], TIMES)
    output = steps(torch.randn(2, 2, 5, 6), TIMES[0])
    count = torch.as_tensor(factor).numel()
    with pytest.raises(ValueError, match=f"`input_factor` must be one number, or one for each of the 2 rows, got {count}"):
        steps.shifted(output, input_factor=factor)
