"""The attention of some rows, and what a pass found."""

from types import SimpleNamespace

import pytest
import torch

from infsplign import GuidanceConfig
from infsplign.core.losses import LossReport
from infsplign.engine.attention_rows import RowsOf, of_rows
from infsplign.engine.found import Found
from infsplign.engine.noise_levels import progress
from infsplign.engine.precision import without_autocast
from tests.engine.test_steps import made


class Layer:
    """A layer that cannot be sliced: its maps are its rows' numbers times the weights' sums."""

    layer, level, text_length, like = "attn", "coarse", 5, torch.zeros(4)

    def object_maps(self, weights):
        return torch.arange(4.0)[:, None] * weights.sum(1)


def test_rows_of_a_layer_that_cannot_be_sliced():
    whole, rows, weights = Layer(), slice(2, 4), torch.ones(2, 5, 3)
    (found,) = of_rows([whole], rows, 4)
    assert isinstance(found, RowsOf)
    assert (found.layer, found.level, found.text_length) == ("attn", "coarse", 5)
    assert found.like is whole.like
    assert found.object_maps(weights).tolist() == [[10.0] * 3, [15.0] * 3]
    assert of_rows([whole], slice(0, 4), 4) == [whole]


@pytest.mark.parametrize(("gradient", "plan"), [(None, None), (torch.ones(1), "checkpoint")])
def test_what_a_pass_found_is_traced(gradient, plan):
    one = torch.ones(1)
    report = LossReport(one, {"mine": one}, one, one, (one,))
    found, config = Found(report, gradient), GuidanceConfig(plan="checkpoint")
    assert found.repeated == ()
    told = found.traced(config, keep_maps=False)
    assert (told["plan"], told["maps"], told["repeated"], told["holds"]) == (plan, (), (), None)
    assert found.traced(config, keep_maps=True)["maps"] == report.maps
    assert found.traced(config.with_(plan="auto"), keep_maps=True)["plan"] == (plan and "split")


def test_a_watched_pass_counts_the_rows_that_are_watched_and_the_others():
    _, guidance = made()
    guidance.watch(torch.randn(3, 2, 5, 6), (3,), {}, rows=slice(1, 3))
    assert (guidance.passes.watched, guidance.passes.plain, guidance.passes.guided) == (2, 1, 0)


def test_a_guided_pass_of_some_rows_has_their_gradient():
    _, guidance = made()
    x = torch.randn(3, 2, 5, 6)
    found, alone = guidance.run(x, (3,), {}, rows=slice(1, 3)), guidance.run(x[1:], (3,), {})
    assert torch.allclose(found.gradient, alone.gradient)
    assert len(found.report.total) == 2


def test_autocast_is_switched_off_only_where_it_is_on():
    with torch.autocast("cpu", torch.bfloat16), without_autocast(torch.zeros(1)):
        assert not torch.is_autocast_enabled("cpu")
    for tensor in (torch.zeros(1), torch.zeros(1, device="meta"), SimpleNamespace(device=torch.device("meta"))):
        with without_autocast(tensor):
            assert not torch.is_autocast_enabled("cpu")


def test_uneven_times_that_rise_count_by_their_number():
    assert progress([3.0, 9.0, 8.0, 7.9]) == [0.0, 0.25, 0.5, 0.75]
