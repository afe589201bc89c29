"""What `Steps` reads from its arguments, part by part."""

import pytest
import torch

from infsplign.engine.step_arguments import factor_of, takes_timestep_by_name
from infsplign.engine.steps import Steps
from infsplign.engine.timeline import Timeline
from tests.engine.test_steps import TIMES, made

LEVELS = [9.0, 7.0, 5.0, 3.0, 1.0]


class Transformer(torch.nn.Module):
    def forward(self, hidden_states, encoder_hidden_states=None, timestep=None):
        return hidden_states


def second(sample, timestep, text):
    return sample


def test_the_timestep_goes_by_name_where_it_stands_further_behind():
    assert takes_timestep_by_name(Transformer())
    assert takes_timestep_by_name(torch.compile(Transformer()))
    assert not takes_timestep_by_name(second)
    assert not takes_timestep_by_name(print)


@pytest.mark.parametrize("factor", [2.0, torch.tensor(2.0), torch.tensor([2.0]), [2.0, 2.0, 2.0]])
def test_one_factor_or_one_a_row(factor):
    like = torch.ones(3, 1, 2, 2, dtype=torch.float64)
    assert torch.equal(factor_of(factor, like) * like, 2 * like)


def test_factors_of_rows_are_those_of_their_rows():
    like = torch.ones(3, 1, 2, 2)
    assert (factor_of([1.0, 2.0, 3.0], like) * like)[:, 0, 0, 0].tolist() == [1, 2, 3]
    for wrong in ([1.0, 2.0], [[1.0] * 3] * 2):
        with pytest.raises(ValueError, match="`input_factor` must be one number, or one for each of the 3 rows, got"):
            factor_of(wrong, like)


def test_the_prediction_of_a_timeline_may_be_said_again():
    timeline = Timeline(TIMES, LEVELS, "sample")
    for prediction in ("epsilon", "sample"):  # the first is the default
        assert Steps(made()[1], timeline, prediction=prediction).timeline is timeline
    with pytest.raises(ValueError, match="`sigmas` and `prediction` must be left out"):
        Steps(made()[1], timeline, prediction="v_prediction")
