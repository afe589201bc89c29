"""From gradient to shift: sizes row by row, against their definitions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign import GuidanceConfig
from infsplign.core.losses import LossTerm, presence_loss
from infsplign.core.update import PREDICTIONS, gain, to_prediction
from infsplign.engine.shift import latents_part, shift_of
from infsplign.engine.weight_schedules import SCHEDULES, constant, cosine_decay, linear_decay
from tests.core.test_update import implied_noise, output

PLACE = {"alpha": 0.5, "sigma": 0.8}


def test_what_is_not_a_number_stays_so_and_stays_in_its_row():
    gradient = torch.ones(3, 4)
    gradient[1, 2] = float("nan")
    gradient[2, 0] = float("inf")
    for config in (GuidanceConfig(max_shift=0.1), GuidanceConfig(scale=0.1, normalise=True), GuidanceConfig()):
        shift = shift_of(gradient, config).output
        assert torch.isfinite(shift).all(1).tolist() == [True, False, False]


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(0.01, 10),
    weight=st.floats(0.01, 1),
    most=st.none() | st.floats(0.01, 1),
    normalise=st.booleans(),
    prediction=st.sampled_from(PREDICTIONS),
)
def test_the_shift_by_its_equation(scale, weight, most, normalise, prediction):
    torch.manual_seed(0)
    gradient = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    config = GuidanceConfig(scale=scale, normalise=normalise, max_shift=most)
    found = shift_of(gradient, config, weight=weight, gain=gain(prediction, **PLACE))
    for row in range(2):
        noise = weight * scale * gradient[row]
        if normalise:
            noise = noise / gradient[row].square().mean().sqrt()
        left = 1.0 if most is None else min(1.0, float(most / noise.square().mean().sqrt()))
        assert torch.allclose(found.noise[row], left * noise, rtol=1e-9)
        assert found.bounded[row].item() == pytest.approx(left, rel=1e-9)
    assert torch.allclose(to_prediction(found.noise, prediction, **PLACE), found.output, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(ratio=st.floats(0.05, 50), scale=st.floats(1e-3, 1e3), most=st.floats(0.01, 1), seed=st.integers(0, 2**31))
def test_one_bound_is_the_same_whatever_the_model_predicts(ratio, scale, most, seed):
    """At one ratio of noise to signal, models of every kind end at the same noise and the same x_0, within the bound."""
    generator = torch.Generator().manual_seed(seed)
    x0, eps, gradient = (torch.randn(1, 4, 3, 3, generator=generator, dtype=torch.float64) for _ in range(3))
    noises, pictures = [], []
    for prediction in PREDICTIONS:
        preserving = (1 + ratio**2) ** 0.5
        alpha, sigma = (1 / (1 + ratio), ratio / (1 + ratio)) if prediction == "flow" else (1 / preserving, ratio / preserving)
        x_t, said = alpha * x0 + sigma * eps, output(prediction, x0, eps, alpha, sigma)
        config = GuidanceConfig(scale=scale, max_shift=most)
        said = said + shift_of(gradient, config, gain=gain(prediction, alpha=alpha, sigma=sigma)).output
        noises.append(implied_noise(prediction, said, x_t, alpha, sigma))
        pictures.append((x_t - sigma * noises[-1]) / alpha)
        assert float((noises[-1] - eps).square().mean().sqrt()) <= most * (1 + 1e-6)
    for noise, picture in zip(noises[1:], pictures[1:], strict=True):
        assert torch.allclose(noise, noises[0], rtol=1e-7, atol=1e-7)
        assert torch.allclose(picture, pictures[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("ours", "theirs", "shape"), [((1, 9, 2, 2), (1, 4, 2, 2), (1, 4, 2, 2)), ((1, 5, 9), (1, 5, 4), (1, 5, 4))])
def test_masks_behind_the_latents_are_no_part_of_the_shift(ours, theirs, shape):
    gradient = torch.randn(ours)
    part = latents_part(gradient, torch.zeros(theirs))
    assert part.shape == shape
    assert torch.equal(part, gradient[:, :4] if len(ours) == 4 else gradient[..., :4])


@given(step=st.integers(0, 99), steps=st.integers(1, 100), window=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted))
def test_weights_run_from_one_towards_zero_over_the_guided_part(step, steps, window):
    config = GuidanceConfig(start=window[0], stop=window[1])
    if not config.within(step / steps):
        return
    assert config.weight(step / steps) == config.with_(schedule=constant).weight(step / steps) == 1.0
    first = next(i for i in range(steps) if config.within(i / steps))
    for schedule in (linear_decay, cosine_decay):
        decaying = config.with_(schedule=schedule)
        weights = [decaying.weight(i / steps) for i in range(first, step + 1)]
        assert weights == sorted(weights, reverse=True)
        assert 0 <= weights[-1] <= weights[0] <= 1
    whole = GuidanceConfig(schedule=linear_decay).weight(step / steps) if step < steps else 0
    assert whole == pytest.approx(1 - step / steps)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_schedule_that_gives_no_factor_is_refused(value):
    with pytest.raises(ValueError, match=r"`schedule` must give a finite number >= 0, got .* at progress 0.5"):
        GuidanceConfig(schedule=lambda progress: value).weight(0.5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_shift", 0.0),
        ("max_shift", float("inf")),
        ("margin_hold", 1.1),
        ("repeats_until", -0.1),
        ("schedule", 3),
        ("terms", [LossTerm("more", presence_loss)]),
        ("terms", (presence_loss,)),
    ],
)
def test_options_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"`{field}` must"):
        GuidanceConfig(**{field: value})


def test_repeats_need_a_shift_of_the_noise():
    with pytest.raises(ValueError, match="`repeats` must be 1"):
        GuidanceConfig(repeats=2, update="direct")


def test_terms_stand_beside_the_paper_s_or_one_s_own():
    more = LossTerm("more", presence_loss, -3.0)
    assert [t.name for t in GuidanceConfig(terms=(more,)).compound().terms] == ["spatial", "presence", "balance", "more"]
    own = GuidanceConfig(loss=GuidanceConfig().compound(), terms=(more,)).compound()
    assert own.terms[-1] is more
    with pytest.raises(ValueError, match="different names"):
        GuidanceConfig(terms=(LossTerm("presence", presence_loss),)).compound()
    assert GuidanceConfig().compound().terms[1].term is presence_loss


def test_a_shift_is_that_of_the_noise_at_full_weight_unless_told_otherwise():
    gradient = torch.randn(2, 3)
    found = shift_of(gradient, GuidanceConfig(scale=2.0))
    assert torch.equal(found.output, 2.0 * gradient)
    assert torch.equal(found.noise, 2.0 * gradient)
    assert found.bounded.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("schedule", "values"),
    [(constant, (1, 1, 1, 1)), (linear_decay, (1, 0.75, 0.5, 0.25)), (cosine_decay, (1, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5))],
)
def test_weights_by_hand(schedule, values):
    assert [schedule(progress) for progress in (0.0, 0.25, 0.5, 0.75)] == pytest.approx(values)
    assert SCHEDULES[schedule.__name__] is schedule


def test_a_weight_is_that_of_the_progress_within_the_window():
    config = GuidanceConfig(start=0.2, stop=0.7, schedule=linear_decay)
    assert config.weight(0.2) == 1.0
    assert config.weight(0.3) == pytest.approx(0.8)
    assert config.weight(0.6) == pytest.approx(0.2)


def test_videos_have_their_channels_where_images_have():
    assert latents_part(torch.zeros(2, 9, 1, 8, 12), torch.zeros(2, 4, 1, 8, 12)).shape == (2, 4, 1, 8, 12)
