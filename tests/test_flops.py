"""The budget of one guided step at real sizes, counted on meta tensors: deterministic on any machine."""

import pytest

from benchmarks.flops import CASES, count


@pytest.mark.parametrize("name", CASES)
def test_a_guided_step_stays_within_its_budget(name):
    assert 1.0 < count(CASES[name])["ratio"] <= CASES[name].budget
