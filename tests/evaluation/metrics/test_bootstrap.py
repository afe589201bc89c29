"""The bootstrap: against closed forms, and what must hold for any data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.evaluation.metrics.bootstrap import bootstrap, paired_difference
from infsplign.evaluation.metrics.ratios import Ratios


def ratios(rows):
    """Two measures: a mean over prompts of values in [0, 1], and a ratio whose denominator may be 0."""
    return Ratios.of(("mean", "ratio"), [[(value, 1), (part * whole, whole)] for value, part, whole in rows])


row = st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0, 2, 4]))
rows = st.lists(row, min_size=1, max_size=30)


def told(data):
    """Of `ratios`: whether two prompts or more add to each measure."""
    return [len(data) > 1, sum(whole > 0 for _, _, whole in data) > 1]


def means(values):
    return Ratios.of(("mean",), [[(value, 1)] for value in values])


class TestRatios:
    def test_values_are_quotients_of_sums(self):
        assert Ratios.of(("x",), [[(1, 1)], [(1, 3)]]).values() == pytest.approx([0.5])

    def test_undefined_is_nan(self):
        assert np.isnan(Ratios.of(("x",), [[(0, 0)], [(0, 0)]]).values()).all()

    def test_errors(self):
        with pytest.raises(ValueError, match="at least one prompt"):
            Ratios.of(("x",), [])
        with pytest.raises(ValueError, match=r"must have shape \(prompts, 2\), got \(3, 1\) and \(4, 1\)"):
            Ratios(("x", "y"), np.ones((3, 1)), np.ones((4, 1)))

    def test_counts_of_images_are_no_whole_numbers_after_it(self):
        """Sums of whole numbers would be cut where a draw weighs them."""
        assert Ratios.of(("x",), [[(1, 2)]]).numerators.dtype == float


class TestBootstrap:
    @settings(deadline=None, max_examples=60)
    @given(rows)
    def test_intervals_contain_the_estimate(self, data):
        value, low, high = bootstrap(ratios(data), resamples=1000)
        defined = ~np.isnan(value) & told(data)
        assert (low[defined] <= value[defined] + 1e-9).all()
        assert (value[defined] <= high[defined] + 1e-9).all()
        assert (low[defined] >= -1e-9).all()
        assert (high[defined] <= 1 + 1e-9).all()
        assert np.isnan(low[~defined]).all()
        assert np.isnan(high[~defined]).all()

    def test_one_prompt_has_no_interval(self):
        """Each draw would be the same, and its width of 0 would look like certainty."""
        value, low, high = bootstrap(Ratios.of(("x",), [[(2, 3)]]))
        assert value == pytest.approx(2 / 3)
        assert np.isnan([low, high]).all()
        assert np.isnan(paired_difference(means([0.0]), means([1.0]))[1:]).all()

    @pytest.mark.parametrize("others", [4, 400])
    def test_a_measure_of_one_prompt_alone_has_no_interval(self, others):
        """As `cond` where a single prompt has images with both objects: 50 [50, 50] would look like certainty."""
        one = ratios([(1, 0.5, 2), *[(0, 0, 0)] * others])
        value, low, high = bootstrap(one, resamples=200)
        assert value[1] == 0.5
        assert np.isnan([low[1], high[1]]).all()
        assert np.isfinite([low[0], high[0]]).all()
        two = ratios([(1, 0.5, 2)] * (others + 1))
        for value, low, high in (paired_difference(one, two, resamples=200), paired_difference(two, one, resamples=200)):
            assert abs(value[1]) == 0
            assert np.isnan([low[1], high[1]]).all()

    @settings(deadline=None, max_examples=30)
    @given(rows, st.randoms())
    def test_order_of_prompts_does_not_matter(self, data, random):
        one, other = bootstrap(ratios(data), resamples=200), bootstrap(ratios(random.sample(data, len(data))), resamples=200)
        np.testing.assert_allclose(one, other, rtol=1e-12)

    @settings(deadline=None, max_examples=30)
    @given(rows)
    def test_nested_levels(self, data):
        _, low, high = bootstrap(ratios(data), resamples=300, level=0.95)
        _, inner_low, inner_high = bootstrap(ratios(data), resamples=300, level=0.5)
        defined = ~np.isnan(low)
        assert (low[defined] <= inner_low[defined]).all()
        assert (inner_high[defined] <= high[defined]).all()

    def test_same_seed_same_intervals(self):
        data = means(np.random.default_rng(0).random(40))
        assert np.array_equal(bootstrap(data, seed=3), bootstrap(data, seed=3))
        assert not np.array_equal(bootstrap(data, seed=3), bootstrap(data, seed=4))

    def test_drawn_in_pieces_as_in_one(self, monkeypatch):
        data = means(np.random.default_rng(0).random(7))
        whole = bootstrap(data, resamples=50)
        monkeypatch.setattr("infsplign.evaluation.metrics.bootstrap._AT_ONCE", 21)
        np.testing.assert_allclose(bootstrap(data, resamples=50), whole, rtol=1e-12)

    def test_width_is_that_of_the_normal_approximation(self):
        values = np.random.default_rng(1).random(400)
        _, low, high = bootstrap(means(values), resamples=20_000)
        assert high - low == pytest.approx(2 * 1.95996 * values.std() / 20, rel=0.03)

    def test_images_of_a_prompt_go_together(self):
        """Four equal images a prompt tell no more than one: the interval is that of the prompts, not of the images."""
        prompts = np.random.default_rng(2).random(50) < 0.5
        grouped = bootstrap(Ratios.of(("x",), [[(4.0 * p, 4)] for p in prompts]))
        single = bootstrap(means(prompts.astype(float)))
        np.testing.assert_allclose(grouped, single, rtol=1e-12)

    def test_covers_the_truth_about_as_often_as_it_says(self):
        rng, truth, covered = np.random.default_rng(5), 0.6, 0
        for number in range(300):
            _, low, high = bootstrap(means(rng.random(60) < truth), resamples=400, seed=number)
            covered += low[0] <= truth <= high[0]
        assert 0.90 <= covered / 300 <= 0.99

    @pytest.mark.parametrize("option", [{"resamples": 0}, {"level": 0.0}, {"level": 1.0}])
    def test_errors(self, option):
        with pytest.raises(ValueError, match=f"`{next(iter(option))}`"):
            bootstrap(means([0.5, 1]), **option)


class TestPairedDifference:
    def test_equal_methods_do_not_differ(self):
        data = means(np.random.default_rng(0).random(30))
        assert not np.asarray(paired_difference(data, data)).any()

    def test_sign_is_second_minus_first(self):
        assert paired_difference(means([0.25, 0.5]), means([0.5, 1.0])).value == pytest.approx([0.375])

    def test_pairing_removes_what_the_prompts_share(self):
        hard = np.random.default_rng(3).random(60)
        first, second = means(hard * 0.9), means(hard * 0.9 + 0.05)
        _, low, high = paired_difference(first, second)
        assert (low, high) == (pytest.approx(0.05), pytest.approx(0.05))

    @settings(deadline=None, max_examples=30)
    @given(rows, st.data())
    def test_exchanged_methods_differ_by_the_sign(self, data, draw):
        other = draw.draw(st.lists(row, min_size=len(data), max_size=len(data)))
        value, low, high = paired_difference(ratios(data), ratios(other), resamples=400)
        back = paired_difference(ratios(other), ratios(data), resamples=400)
        np.testing.assert_allclose(value, -back.value)
        defined = ~np.isnan(value) & told(data) & told(other)
        assert (low[defined] - 1e-9 <= value[defined]).all()
        assert (value[defined] <= high[defined] + 1e-9).all()

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.tuples(row, row), min_size=1, max_size=20), st.randoms())
    def test_order_of_prompts_does_not_matter(self, pairs, random):
        shuffled = random.sample(pairs, len(pairs))
        one, other = (paired_difference(*(ratios([pair[k] for pair in data]) for k in (0, 1)), resamples=200) for data in (pairs, shuffled))
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)

    def test_errors(self):
        with pytest.raises(ValueError, match="same measures of the same prompts"):
            paired_difference(means([1, 2]), means([1, 2, 3]))
