"""Windows by noise: how far along each step is, under every spacing; noise levels; timesteps of noise levels."""

import itertools
import math

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from infsplign.engine.noise_levels import coefficients, progress, timesteps_of
from infsplign.engine.timeline import Timeline
from tests.syncs import no_sync

ALPHAS = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)
SPACINGS = {
    "leading": lambda n: [float(i * (1000 // n) + 1) for i in range(n)][::-1],
    "trailing": lambda n: [float(round(1000 - i * 1000 / n)) - 1 for i in range(n)],
    "linspace": lambda n: [999 - i * 999 / (n - 1) if n > 1 else 999.0 for i in range(n)],
}


def karras(n):
    """Fractional timesteps of Karras' noise levels (rho = 7), as schedulers of diffusers have them."""
    levels = ((1 - ALPHAS) / ALPHAS) ** 0.5
    sigmas = torch.linspace(float(levels[-1]) ** (1 / 7), float(levels[0]) ** (1 / 7), n, dtype=torch.float64) ** 7
    return sigmas, timesteps_of(sigmas, ALPHAS).tolist()


@given(n=st.integers(1, 200), first=st.integers(0, 199), spacing=st.sampled_from(sorted(SPACINGS)))
def test_evenly_spaced_timesteps_are_counted_and_so_is_each_part_of_them(n, first, spacing):
    times = SPACINGS[spacing](n)[min(first, n - 1) :]
    assert progress(times) == [i / len(times) for i in range(len(times))]


@given(st.lists(st.floats(0, 1000, allow_subnormal=False), min_size=1, max_size=40))
def test_it_runs_from_zero_upwards_and_stays_below_one(times):
    times = sorted(times, reverse=True)
    found = progress(times)
    assert found[0] == 0
    assert found == sorted(found)
    assert found[-1] < 1
    assert len(set(zip(times, found, strict=True))) == len(set(times))  # equal times are one place


@given(n=st.integers(8, 60), stop=st.floats(0.05, 0.95))
def test_a_window_ends_at_the_same_noise_under_karras_spacing(n, stop):
    """The first step after the window is where an even spacing has its own, to within a step of either."""
    _, times = karras(n)
    after = [t for t, p in zip(times, progress(times), strict=True) if p >= stop]
    inside = [t for t, p in zip(times, progress(times), strict=True) if p < stop]
    wanted = times[0] - stop * (times[0] - times[-1] + abs(times[-2] - times[-1]))
    assert all(t <= wanted + 1e-6 for t in after)
    assert all(t >= wanted - 1e-6 for t in inside)


def test_a_quarter_of_fifteen_karras_steps_is_the_noise_of_an_even_quarter():
    """By their number it would be four steps, down to a noise of 7.4 alone."""
    scheduler = EulerDiscreteScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="trailing", use_karras_sigmas=True
    )
    scheduler.set_timesteps(15)
    guided = [p < 0.25 for p in progress(scheduler.timesteps.tolist())]
    assert guided == [True] * 6 + [False] * 9
    even = float(((1 - ALPHAS[750]) / ALPHAS[750]) ** 0.5)
    assert scheduler.sigmas[5] > even > scheduler.sigmas[6]


def test_steps_of_second_order_schedulers_are_one_place_each():
    assert progress([900, 600, 600, 300, 300]) == [0, 1 / 3, 1 / 3, 2 / 3, 2 / 3]


@given(n=st.integers(2, 40), shift=st.floats(1.5, 12))
def test_shifted_flow_schedules_are_measured_by_their_sigma(n, shift):
    even = [1 - i / n for i in range(n)]
    sigmas = [shift * s / (1 + (shift - 1) * s) for s in even]
    found = Timeline([1000 * s for s in sigmas], sigmas, "flow")
    whole = sigmas[0] - sigmas[-1] + abs(sigmas[-2] - sigmas[-1])
    for i, sigma in enumerate(sigmas):
        assert found.of(i).progress in (pytest.approx((1 - sigma) / whole), pytest.approx(i / n))  # the latter where all but even
        assert (found.of(i).alpha, found.of(i).sigma) == (1 - sigma, sigma)


@given(st.floats(1e-3, 1e3))
def test_signal_and_noise_of_a_ratio(ratio):
    alpha, sigma = coefficients(ratio, "epsilon")
    assert alpha**2 + sigma**2 == pytest.approx(1)
    assert sigma / alpha == pytest.approx(ratio)


@pytest.mark.parametrize("wrong", [ALPHAS.flip(0), torch.linspace(0.0001, 0.02, 1000)])
def test_timesteps_of_a_schedule_that_does_not_fall(wrong):
    with pytest.raises(ValueError, match="`alphas_cumprod` must fall from nearly 1 to nearly 0, got .*; are they `betas`"):
        timesteps_of(torch.tensor([10.0, 1.0]), wrong)



@given(st.lists(st.integers(0, 999), min_size=1, max_size=20))
def test_timesteps_of_training_levels_are_the_training_times(times):
    sigmas = ((1 - ALPHAS) / ALPHAS)[times] ** 0.5
    assert timesteps_of(sigmas, ALPHAS).tolist() == pytest.approx(times, abs=1e-6)
    assert timesteps_of(torch.tensor([1e-9, 1e9]), ALPHAS).tolist() == [0, 999]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_timesteps_of_levels_in_half_types_are_not_rounded_to_them(dtype):
    """bfloat16 has eight bits: it would count 0, 1, ..., 256, 258, ... 512, 516."""
    sigmas = (((1 - ALPHAS) / ALPHAS) ** 0.5).to(dtype)
    found = timesteps_of(sigmas, ALPHAS)
    assert found.dtype == torch.float32
    assert torch.allclose(found, timesteps_of(sigmas.double(), ALPHAS).float(), atol=1e-4)
    assert len({*found[-300:].tolist()}) > (200 if dtype == torch.float16 else 60)
    assert torch.allclose(timesteps_of(sigmas.float(), ALPHAS.half().float()), timesteps_of(sigmas.float(), ALPHAS.half()), atol=1e-3)


def test_timesteps_are_found_wherever_they_come_from():
    times = torch.tensor([900, 600, 300])
    line = Timeline(times, [3.0, 2.0, 1.0])
    for i, t in enumerate(times):
        for given_ in (t, int(t), float(t), t.expand(4), t.clone(), torch.full((4,), int(t))):
            assert line.at(given_) == line.of(i)
            assert line.value(given_) == float(t)
    between = line.at(750)
    assert between.progress == pytest.approx(1 / 6)
    assert between.sigma / between.alpha == pytest.approx(6**0.5)  # by the logarithm
    assert Timeline(times, [0.75, 0.5, 0.25], "flow").at(750).sigma == pytest.approx(0.625)
    assert Timeline(times, [3.0, 2.0, 0.0]).at(750).sigma == pytest.approx(2.5 / (1 + 2.5**2) ** 0.5)  # 0 has no logarithm
    assert [line.of(i).last for i in range(3)] == [False, False, True]
    assert line.at(2000).progress == 0


@given(n=st.integers(2, 200), i=st.integers(0, 199))
def test_a_rounded_timestep_is_still_the_one_of_the_list(n, i):
    """Lists of Python numbers, tensors of another type: else a step at the end of the window would be guided, or the last not be last."""
    i = i % n
    times = [1 - k / n for k in range(n)]
    line = Timeline(times, times, "flow")
    assert line.at(torch.tensor(times[i], dtype=torch.float32)) == line.of(i)
    assert i == n - 1 or line.at(times[i] - 0.02 / n).progress > line.of(i).progress  # two percent of a step are another place


def test_the_last_timestep_is_last_however_often_it_is_listed():
    """Heun's list has it twice."""
    line = Timeline([900, 600, 600, 300, 300])
    assert [line.at(t).last for t in (900, 600, 450, 300)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("times", "first", "begins"),
    [
        ([999, 799, 599], 999, True), ([999, 799, 599], 599, True), ([999, 799, 599], 850.5, True), ([999, 799, 599], 700, False),
        ([999, 799, 599], 0.999, False), ([1.0, 0.8, 0.6], 1000, False), ([80.0, 57.0], 80 * 2**0.5, True), ([0.0, 0.1, 0.2], 999, False),
        ([0.0, 0.1, 0.2], 0.0, True), ([500], 0.5, True),
    ],
)  # fmt: skip
def test_where_a_sampling_can_begin(times, first, begins):
    """At a step, or near the first, with EDM's churn up to a factor of sqrt(2) noisier; in other units it cannot."""
    line = Timeline(times)
    assert line.begins(line.at(first)) is begins


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timesteps": []}, "`timesteps` must hold at least one"),
        ({"timesteps": [3, 2], "sigmas": [1.0]}, "`sigmas` must hold one level a timestep, got 1 for 2"),
        ({"timesteps": [3], "prediction": "score"}, "`prediction` must be one of epsilon"),
    ],
)
def test_bad_timelines_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Timeline(**options)


def test_infinite_noise_has_no_signal():
    assert Timeline([999], [math.inf]).of(0)[2:4] == (0.0, 1.0)


@pytest.mark.parametrize(
    "times", [torch.tensor([900, 600, 300]), torch.tensor([900, 0, 600, 0, 300])[::2], torch.tensor([0, 900, 600, 300])[1:]]
)
def test_timesteps_of_the_list_itself_are_known_without_reading_them(times):
    """Reading one would wait for a GPU at every step."""
    line = Timeline(times)
    with no_sync():
        for given_ in (lambda t: t, lambda t: t[None], lambda t: t.expand(4)):
            assert [line.value(given_(t)) for t in times] == [900.0, 600.0, 300.0]


def test_progress_is_that_of_the_timesteps_or_of_the_noise_levels_of_flows():
    times, sigmas = [900.0, 600.0, 300.0], [0.9, 0.8, 0.2]
    for prediction in ("epsilon", "v_prediction", "sample"):
        assert [Timeline(times, sigmas, prediction).of(i).progress for i in range(3)] == [0, 1 / 3, 2 / 3]
    assert [Timeline(times, sigmas, "flow").of(i).progress for i in range(3)] == progress(sigmas) != [0, 1 / 3, 2 / 3]
    assert [Timeline(times, None, "flow").of(i).progress for i in range(3)] == [0, 1 / 3, 2 / 3]


def test_timesteps_that_share_the_memory_of_the_list_are_found_by_their_value_where_they_are_none_of_its():
    times = torch.linspace(1000, 0, 11)
    for part in (times[::2], times[3:], times[:4]):
        timeline = Timeline(part)
        assert [timeline.at(t).timestep for t in times] == [timeline.at(float(t)).timestep for t in times] == times.tolist()


@pytest.mark.parametrize(
    ("timestep", "error", "message"),
    [
        (torch.tensor([900.0, 100.0]), ValueError, "must be one number for all rows of `sample`, got 2 different ones"),
        (torch.tensor([]), ValueError, "got none"),
        (None, TypeError, "`timestep` must be a number, as in `timesteps`, got None"),
        ("first", TypeError, "got 'first'"),
    ],
)
def test_a_pass_at_no_timestep_or_at_several_is_refused(timestep, error, message):
    with pytest.raises(error, match=message):
        Timeline([900.0, 500.0, 100.0]).at(timestep)


def test_a_timestep_may_be_given_once_a_row():
    assert Timeline([900.0, 500.0]).at(torch.tensor([500.0, 500.0])).timestep == 500.0


def test_time_that_rises_to_the_image_is_told_of_a_flow():
    """Where the velocity is the image minus the noise, guidance pushes the opposite way."""
    with pytest.warns(UserWarning, match="if the velocity does too .image minus noise., guidance would push the opposite way"):
        Timeline([0.0, 0.5], [1.0, 0.5], "flow")


def test_a_level_of_a_flow_that_is_rounded_to_more_than_all_noise_is_all_noise():
    assert Timeline([1000.0, 500.0], [1.0000001, 0.5], "flow").of(0).alpha == 0.0


def test_levels_may_be_lists_and_arrays():
    sigmas, signal = [10.0, 2.0, 0.5], [0.99, 0.9, 0.5, 0.1, 0.01]
    expected = timesteps_of(torch.tensor(sigmas), torch.tensor(signal))
    assert torch.equal(timesteps_of(sigmas, signal), expected)
    assert torch.allclose(timesteps_of(np.array(sigmas), np.array(signal)).float(), expected)


def test_a_midpoint_of_few_steps_has_nearly_the_noise_of_its_training_time():
    """Linear in sigma, the shift of five steps in Karras's spacing would be a fifth too large."""
    steps = torch.linspace(14.6 ** (1 / 7), 0.03 ** (1 / 7), 5, dtype=torch.float64) ** 7
    line = Timeline(timesteps_of(steps, ALPHAS), steps, "v_prediction")
    for one, other in itertools.pairwise(steps[:3]):
        wanted = float((one * other) ** 0.5)
        place = line.at(float(timesteps_of(torch.tensor([wanted], dtype=torch.float64), ALPHAS)))
        assert place.sigma / place.alpha == pytest.approx(wanted, rel=0.1)
