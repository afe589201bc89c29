"""Plan and offloading for `generate --memory`."""

import pytest

from infsplign.cost.planner import amount, plan_memory
from infsplign.generation.fitting import fitted
from infsplign.generation.options import GenerateOptions
from tests import tiny


@pytest.mark.parametrize(("given", "size"), [({"height": 64}, (64, 32)), ({"width": 64}, (32, 64)), ({}, (32, 32))])
def test_memory_is_counted_for_the_size_that_is_sampled(given, size):
    """With `--height` alone the width is the model's own."""
    pipe = tiny.sd()
    _, told = fitted(pipe, GenerateOptions(prompt="a cat left of a dog", model="./own", memory="1GB", **given), "cpu")
    planned = plan_memory(pipe, height=size[0], width=size[1])
    assert f" takes {amount(planned.need(planned.plans[0]))} of 1.00 GB" in told
