"""What the rows of a pass are counted as, against a sampling of each row alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.engine.passes import Passes
from infsplign.engine.rows import Rows
from infsplign.engine.step_pass import needs
from infsplign.engine.step_plan import StepPlan

ACTIONS = ("plain", "watched", "guided")


def test_numbers_begin_at_zero_and_add_up_by_kind():
    passes = Passes()
    assert (passes.plain, passes.guided, passes.watched, passes.total) == (0, 0, 0, 0)
    for _ in range(2):
        passes.add(Passes(1, 10, 100))
    assert passes == Passes(plain=2, guided=20, watched=200)
    assert passes.total == 222


def test_rows_are_apart_unless_told_otherwise():
    assert Rows(slice(2, 5)) == Rows(slice(2, 5), together=False)
    assert Rows(slice(2, 5)).size == 3


@given(
    actions=st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=5),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    times=st.integers(1, 4),
)
def test_each_row_needs_what_its_own_action_takes(actions, before, after, times):
    most = max(actions, key=ACTIONS.index)
    plan = StepPlan(most, None if len(set(actions)) == 1 else tuple(actions))
    count = len(actions)
    found = needs(plan, before + count + after, Rows(slice(before, before + count)), times)
    guided, watched, plain = (actions.count(action) for action in ("guided", "watched", "plain"))
    assert found == Passes(plain=before + after + plain, guided=times * guided, watched=watched)


@pytest.mark.parametrize("others", [1, 2])
@pytest.mark.parametrize("times", [1, 3])
def test_other_rows_that_run_along_are_guided_with_the_row_that_is(others, times):
    """Perturbed-attention guidance: each conditional row has `others` rows beside it in the same pass."""
    rows = Rows(slice(4, 8), together=True)
    plan = StepPlan("guided", ("guided", "guided", "watched", "plain"))
    found = needs(plan, 4 + 4 * others, rows, times)
    assert found == Passes(plain=1 + 2 * others, guided=2 * times * (1 + others), watched=1)
    assert needs(StepPlan("watched"), 8, rows, times) == Passes(plain=4, watched=4)
