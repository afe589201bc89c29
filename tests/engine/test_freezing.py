"""Freezing: flags come back after any exit, and weights are kept where hooks may replace them."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from infsplign import guide
from infsplign.engine.freezing import FrozenWeights
from tests import tiny


def network(flags=(True, False, True, True)):
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 2)))
    for p, flag in zip(model.parameters(), flags, strict=True):
        p.requires_grad_(flag)
    return model


def flags(model):
    return [p.requires_grad for p in model.parameters()]


@given(st.tuples(*[st.booleans()] * 4), st.sampled_from([None, KeyError, KeyboardInterrupt]))
def test_flags_are_off_inside_and_come_back_after_any_exit(before, error):
    model = network(before)
    weights = FrozenWeights(model)
    with pytest.raises(error) if error else nullcontext(), weights.frozen():
        assert flags(model) == [False] * 4
        with weights.frozen():
            assert flags(model) == [False] * 4
        assert flags(model) == [False] * 4
        if error:
            raise error
    assert flags(model) == list(before)


def test_weights_that_were_replaced_since_are_frozen_too():
    """As offloading replaces them: the modules are the same, their weights are not."""
    model = network()
    weights = FrozenWeights(model)
    model[1][0].weight = nn.Parameter(torch.zeros(2, 3))
    with weights.frozen():
        assert flags(model) == [False] * 4
    assert flags(model) == [True, False, True, True]


def test_what_is_no_module_has_no_weights():
    weights = FrozenWeights(lambda x: x)
    assert weights.modules == ()
    with weights.frozen(), weights.kept():
        pass


def squared_gradient(model, weights, x):
    """The gradient of a network whose weight is halved behind the layer that used it, as group offloading empties it.

    Of convolutions, since autograd keeps their weight itself. Of a linear layer it keeps the transpose, which has the old numbers anyway.
    """
    leaf = x.clone().requires_grad_()
    with weights.frozen(), weights.kept():
        loss = model(leaf).square().sum()
        model[0].weight.data = model[0].weight.data * 0.5
        return torch.autograd.grad(loss, leaf)[0]


@pytest.mark.parametrize("hook", ["after", "before", "diffusers", "accelerate", "none"])
def test_weights_are_kept_where_hooks_may_replace_them(hook):
    x = torch.ones(1, 2, 1)
    model = nn.Sequential(nn.Conv1d(2, 3, 1), nn.Conv1d(3, 2, 1))
    leaf = x.clone().requires_grad_()
    expected = torch.autograd.grad(model(leaf).square().sum(), leaf)[0]
    if hook == "after":
        model[1].register_forward_hook(lambda *_: None)
    elif hook == "before":
        model[1].register_forward_pre_hook(lambda *_: None)
    elif hook != "none":
        setattr(model[1], {"diffusers": "_diffusers_hook", "accelerate": "_hf_hook"}[hook], object())
    assert torch.allclose(squared_gradient(model, FrozenWeights(model), x), expected) == (hook != "none")


def test_a_denoiser_without_hooks_needs_no_context():
    assert isinstance(FrozenWeights(network()).kept(), nullcontext)


def test_a_sampling_walks_through_the_denoiser_no_more_often_for_more_steps(monkeypatch):
    pipe, walks = tiny.sd(), []
    own = nn.Module.named_modules  # `modules` and `parameters` walk by it too

    def walked(self, *args, **kwargs):
        walks.append(self is pipe.unet and not args)
        return own(self, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "named_modules", walked)
    found = []
    for count in (1, 2, 4):  # the first call also makes what is counted
        walks.clear()
        with guide(pipe, "a circle to the left of a square") as guidance:
            pipe("a circle to the left of a square", num_inference_steps=2 * count, output_type="latent")
        assert sum(step.guided for step in guidance.trace) == count
        found.append(sum(walks))
    assert found[1] == found[2] > 0
