"""Budgets of one guided step at real sizes, counted on meta tensors: deterministic on any machine."""

import functools

import pytest

from benchmarks.cost import counts
from benchmarks.flops import CASES

counted = functools.cache(counts)


@pytest.mark.parametrize("name", CASES)
def test_a_guided_step_stays_within_its_budget_of_operations(name):
    case, split = CASES[name], counted(name)["split"]
    assert 1.0 < split["flops"] <= case.budget
    assert split["flops"] < split["executed"] <= case.executed
    if case.together:  # where there is a half to leave out; with one call a step only the memory is less
        assert split["flops"] < counted(name)["published"]["flops"] - 0.25


@pytest.mark.parametrize("name", CASES)
def test_a_guided_step_stays_within_its_budget_of_memory(name):
    published, split, checkpoint = (counted(name)[way] for way in ("published", "split", "checkpoint"))
    assert 0 < split["saved"] <= published["saved"] / 3
    assert 0 < checkpoint["saved"] <= published["saved"] / 10
    assert checkpoint["peak"] <= published["peak"] / 10
    assert checkpoint["flops"] < 1.75
