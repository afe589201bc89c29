"""Weights made under inference mode take part in a gradient, without copies, and are restored."""

import pytest
import torch
from torch import nn

from integrations.comfyui.weights import shared, usable_weights


class Quantised(nn.Parameter):
    """A weight of another node's type."""


@pytest.fixture
def layer():
    with torch.inference_mode():
        return nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 2, bias=False))


def test_gradient_passes_and_equals_that_of_normal_weights(layer):
    x = torch.randn(4, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="nference tensors cannot be saved for backward"):
        layer(x)
    with usable_weights(layer):
        (gradient,) = torch.autograd.grad(layer(x).square().sum(), x)
        assert not any(parameter.requires_grad for parameter in layer.parameters())
    normal = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 2, bias=False))
    normal.load_state_dict({name: value.clone() for name, value in layer.state_dict().items()})
    (wanted,) = torch.autograd.grad(normal(x).square().sum(), x)
    assert torch.equal(gradient, wanted)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_the_very_objects_are_restored(layer, error):
    layer[0].weight = weight = Quantised(torch.ones(3, 3))
    before = {name: id(parameter) for name, parameter in layer.named_parameters()}
    with pytest.raises(error) if error else usable_weights(layer), usable_weights(layer):
        assert layer[0].weight is weight
        assert id(layer[2].weight) != before["2.weight"]
        if error:
            raise error
    assert {name: id(parameter) for name, parameter in layer.named_parameters()} == before


@pytest.mark.parametrize("inference", [False, True])
def test_memory_is_shared_also_of_views(inference):
    with torch.inference_mode(inference):
        whole = torch.arange(12.0).reshape(3, 4)
        part = whole.T[1:]
    alias = shared(part)
    assert not alias.is_inference()
    assert alias.data_ptr() == part.data_ptr()
    assert torch.equal(alias, part)
    assert alias.stride() == part.stride()
