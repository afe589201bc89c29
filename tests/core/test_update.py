"""A shift of the noise prediction, said in what the model predicts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from infsplign.core import to_prediction
from infsplign.core.update import PREDICTIONS, bound_factor, gain, rms, size_factor
from tests.core.numeric import assert_close, to_numpy

numbers = st.floats(-10, 10)
angles = st.floats(0.01, math.pi / 2 - 0.01)  # alpha = cos, sigma = sin: variance preserving
gains = st.floats(0.1, 100)


def output(prediction, x0, eps, a, s):
    """What a perfect model returns at `x_t = a x_0 + s eps`."""
    return {"epsilon": eps, "v_prediction": a * eps - s * x0, "sample": x0, "flow": eps - x0}[prediction]


def implied_noise(prediction, out, x_t, a, s):
    """The noise that `out` stands for, solved from its definition and `x_t = a x_0 + s eps`."""
    return {
        "epsilon": lambda: out,
        "v_prediction": lambda: (a * out + s * x_t) / (a * a + s * s),
        "sample": lambda: (x_t - a * out) / s,
        "flow": lambda: (x_t + a * out) / (a + s),
    }[prediction]()


def schedule(prediction, angle):
    a, s = math.cos(angle), math.sin(angle)
    return (a / (a + s), s / (a + s)) if prediction == "flow" else (a, s)  # flow: alpha = 1 - sigma


@pytest.mark.parametrize("prediction", PREDICTIONS)
@given(x0=numbers, eps=numbers, delta=numbers, angle=angles)
def test_the_implied_noise_moves_by_delta(prediction, x0, eps, delta, angle):
    a, s = schedule(prediction, angle)
    x_t, out = a * x0 + s * eps, output(prediction, x0, eps, a, s)
    assert implied_noise(prediction, out, x_t, a, s) == pytest.approx(eps, abs=1e-9)
    shifted = out + to_prediction(delta, prediction, alpha=a, sigma=s)
    assert implied_noise(prediction, shifted, x_t, a, s) == pytest.approx(eps + delta, abs=1e-9)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@given(delta=st.lists(numbers, min_size=6, max_size=6), two=st.tuples(angles, angles), gain=gains | st.just(math.inf))
def test_arrays_are_numbers_element_by_element(xp, prediction, delta, two, gain):
    deltas = np.reshape(delta, (2, 3))
    a, s = np.transpose([schedule(prediction, angle) for angle in two])
    found = to_prediction(xp.asarray(deltas), prediction, alpha=xp.asarray(a[:, None]), sigma=xp.asarray(s[:, None]), max_gain=gain)
    expected = [
        [to_prediction(float(d), prediction, alpha=float(a[row]), sigma=float(s[row]), max_gain=gain) for d in deltas[row]]
        for row in (0, 1)
    ]
    assert_close(found, expected, rtol=1e-14)


@given(delta=numbers, angle=angles, gain=gains)
def test_numbers_and_arrays_mix(xp, delta, angle, gain):
    a, s = math.cos(angle), math.sin(angle)
    for prediction in ("v_prediction", "sample"):
        expected = to_prediction(delta, prediction, alpha=a, sigma=s, max_gain=gain)
        array = xp.asarray([delta], dtype=xp.float64)
        assert_close(to_prediction(array, prediction, alpha=a, sigma=s, max_gain=gain), [expected], rtol=1e-14)
        alpha, sigma = (xp.asarray([value], dtype=xp.float64) for value in (a, s))
        assert_close(to_prediction(array, prediction, alpha=alpha, sigma=s, max_gain=gain), [expected], rtol=1e-14)
        assert_close(to_prediction(array, prediction, alpha=a, sigma=sigma, max_gain=gain), [expected], rtol=1e-14)


@pytest.mark.parametrize("prediction", ["v_prediction", "flow", "sample"])
@given(alpha=st.floats(1e-6, 1), sigma=st.floats(0, 1), gain=gains)
def test_the_factor_is_capped_and_otherwise_untouched(xp, prediction, alpha, sigma, gain):
    factor = (sigma if prediction == "sample" else 1.0) / alpha
    sign = -1 if prediction == "sample" else 1
    expected = sign * 3.0 * min(factor, gain)
    assert to_prediction(3.0, prediction, alpha=alpha, sigma=sigma, max_gain=gain) == pytest.approx(expected, rel=1e-12)
    arrays = {"alpha": xp.asarray([alpha], dtype=xp.float64), "sigma": xp.asarray([sigma], dtype=xp.float64)}
    assert_close(to_prediction(xp.asarray([3.0], dtype=xp.float64), prediction, **arrays, max_gain=gain), [expected], rtol=1e-12)


@pytest.mark.parametrize("prediction", ["v_prediction", "flow", "sample"])
def test_a_cap_tames_pure_noise(xp, prediction):
    """At the first step of a zero-terminal-SNR schedule alpha is 0."""
    sign = -1 if prediction == "sample" else 1
    assert to_prediction(2.0, prediction, alpha=0.0, sigma=1.0, max_gain=20.0) == sign * 40.0
    with np.errstate(divide="ignore"):
        found = to_prediction(xp.asarray([2.0]), prediction, alpha=xp.asarray([0.0]), sigma=xp.asarray([1.0]), max_gain=20.0)
    assert to_numpy(found).tolist() == [sign * 40.0]


@given(delta=numbers, alpha=st.floats(0, 1), sigma=st.floats(0, 1))
def test_epsilon_knows_no_schedule(delta, alpha, sigma):
    assert to_prediction(delta, "epsilon", alpha=alpha, sigma=sigma, max_gain=0.5) == delta
    assert gain("epsilon", alpha=alpha, sigma=sigma, max_gain=0.5) == 1.0


@pytest.mark.parametrize("unknown", ["v", "eps", ""])
def test_unknown_predictions_are_refused(unknown):
    with pytest.raises(ValueError) as error:
        to_prediction(1.0, unknown)
    assert str(error.value) == f"`prediction` must be one of epsilon, v_prediction, sample, flow, got {unknown!r}"


@pytest.mark.parametrize(
    ("prediction", "given", "missing"),
    [
        ("v_prediction", {"sigma": 0.5}, "alpha"),
        ("flow", {}, "alpha"),
        ("sample", {"alpha": 0.5}, "sigma"),
        ("sample", {"sigma": 0.5}, "alpha"),
    ],
)
def test_a_coefficient_that_is_needed_is_not_guessed(prediction, given, missing):
    with pytest.raises(ValueError, match=f"`{missing}` must be given: by it a shift of the noise becomes one of '{prediction}'"):
        to_prediction(1.0, prediction, **given)


def test_a_flow_needs_its_sigma_alone(xp):
    assert to_prediction(1.0, "flow", sigma=0.75) == 4.0
    found = to_prediction(xp.asarray([1.0, 2.0]), "flow", sigma=xp.asarray([0.5, 0.75]))
    assert to_numpy(found).tolist() == [2.0, 8.0]


@pytest.mark.parametrize("name", ["alpha", "sigma"])
def test_one_number_a_row_needs_the_other_axes(xp, name):
    """(B,) beside (B, C, H, B) would be a number a column."""
    given = {"alpha": 0.5, "sigma": 0.5} | {name: xp.asarray([0.2, 0.5, 0.9])}
    with pytest.raises(ValueError, match=rf"`{name}` must be one number, or for one a row have the axes of `delta`, \(3, 1, 1, 1\)"):
        to_prediction(xp.ones((3, 4, 2, 3)), "sample", **given)
    assert to_prediction(xp.ones((3,)), "sample", **given).shape == (3,)


@pytest.mark.parametrize("prediction", ["v_prediction", "flow"])
def test_pure_noise_without_a_cap_is_an_infinite_shift_and_no_crash(prediction):
    assert to_prediction(2.0, prediction, alpha=0.0, sigma=1.0) == float("inf")


entries = st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-3)
shifts = npst.array_shapes(min_dims=2, max_dims=4, max_side=4).flatmap(lambda shape: npst.arrays(np.float64, shape, elements=entries))


def size(x):
    return np.sqrt(np.mean(np.asarray(x).reshape(len(x), -1) ** 2, axis=1))


@settings(max_examples=60, deadline=None)
@given(shift=shifts, wanted=st.just(0.0) | st.floats(1e-3, 10), scale=st.sampled_from([1e-30, 1.0, 1e30]))
def test_a_shift_is_given_a_size(shift, wanted, scale):
    found = shift * scale * size_factor(shift * scale, wanted)
    there = size(shift) > 0
    np.testing.assert_allclose(size(found)[there], wanted, rtol=1e-9)
    assert not found[~there].any()
    assert (np.sign(found) * np.sign(shift) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(shift=shifts, most=st.floats(0.01, 10))
def test_a_bounded_shift_is_within_and_otherwise_untouched(shift, most):
    factor = bound_factor(shift, most).reshape(-1)
    assert (size(shift * bound_factor(shift, most)) <= most * (1 + 1e-12)).all()
    assert (factor[size(shift) < most * (1 - 1e-12)] == 1).all()
    over = size(shift) > most * (1 + 1e-12)
    np.testing.assert_allclose(factor[over], most / size(shift)[over], rtol=1e-9)


def test_sizes_are_the_same_in_every_library(xp):
    rng = np.random.default_rng(0)
    shift = rng.normal(size=(3, 2, 4))
    shift[1] = 0
    for function in (size_factor, bound_factor):
        assert_close(function(xp.asarray(shift), 0.1), function(shift, 0.1), rtol=1e-14)
    assert_close(rms(xp.asarray(shift)), size(shift).reshape(3, 1, 1), rtol=1e-14)


@pytest.mark.parametrize(
    ("prediction", "given", "told"),
    [
        ("flow", {"sigma": 3.0}, '`sigma` must lie in [0, 1] for "flow", got 3'),
        ("flow", {"sigma": np.float32(750)}, '`sigma` must lie in [0, 1] for "flow", got 750'),
        ("flow", {"alpha": -0.5}, '`alpha` must lie in [0, 1] for "flow", got -0.5'),
        ("v_prediction", {"alpha": -1}, "`alpha` must be >= 0, got -1"),
        ("sample", {"alpha": 0.5, "sigma": -0.5}, "`sigma` must be >= 0, got -0.5"),
    ],
)
def test_coefficients_that_would_turn_the_shift_round_are_refused(prediction, given, told):
    """As where a timestep, or a ratio of noise to signal, is given for the sigma of a flow."""
    with pytest.raises(ValueError) as error:
        to_prediction(1.0, prediction, **given)
    assert str(error.value) == told


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1)])
def test_one_coefficient_a_row_has_the_axes_of_the_shift(shape):
    """They would be spread along the last axes, where their lengths happen to be equal."""
    delta, alpha = np.ones((4, 4, 4, 4)), np.full(shape, 0.5)
    with pytest.raises(ValueError, match=r"`alpha` must be one number, or for one a row have the axes of `delta`, \(4, 1, 1, 1\)"):
        to_prediction(delta, "v_prediction", alpha=alpha)
    assert to_prediction(delta, "v_prediction", alpha=alpha.reshape(4, 1, 1, 1)).shape == delta.shape


def test_the_largest_gain_is_positive():
    with pytest.raises(ValueError, match="`max_gain` must be a number > 0, got -1"):
        to_prediction(1.0, "v_prediction", alpha=0.5, max_gain=-1)
