"""Budgets of one guided step at real sizes, counted on meta tensors: deterministic on any machine."""

import functools

import pytest

from benchmarks.cost import SCHEDULES, counts, guided_steps
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


OPERATORS = {"SD1.5": 3.55, "SD2.1": 3.45, "SDXL": 2.95, "PixArt-XL": 3.05, "SD3-medium": 2.7, "Flux-dev": 1.41}
"""The most operators of a guided step, as a multiple of an unguided one's."""


@pytest.mark.parametrize("name", CASES)
def test_a_guided_step_stays_within_its_budget_of_operators(name):
    unguided, split = (counted(name)[way]["operators"] for way in ("unguided", "split"))
    assert split <= OPERATORS[name.split()[0]] * unguided


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.together])
def test_both_halves_in_one_call_take_fewer_operators_and_twice_the_memory(name):
    published, split, batched = (counted(name)[way] for way in ("published", "split", "batched"))
    assert batched["operators"] < 0.8 * split["operators"]
    assert batched["flops"] <= published["flops"] + 0.04
    assert 1.5 * split["saved"] < batched["saved"] < 2.1 * split["saved"]
    assert batched["saved"] < published["saved"] / 1.9


def test_the_steps_that_are_guided_depend_on_the_scheduler():
    found = {name: guided_steps(name) for name in SCHEDULES}
    assert list(found) == list(CASES)
    assert list(found.values()) == [(26, 51), (25, 50), (25, 50), (10, 20), (22, 28), (22, 28)]
