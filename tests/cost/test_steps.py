"""Budgets of a guided step of the shipped models: operators and operations, counted on meta tensors."""

import functools

import pytest
import torch

from infsplign.adapters import backbone_for
from infsplign.cost.meta_inputs import Size
from infsplign.cost.meta_model import meta_copy
from infsplign.cost.planner import guided_step, unguided_step
from infsplign.shipped import PRESETS, load

TEXT = {"shapes": 77, "shapes-pixart": 120, "shapes-sd3": 64, "pictures": 77}
BUDGETS = {
    ("shapes", "batched"): (1.70, 1.15),
    ("shapes", "split"): (2.70, 1.08),
    ("shapes-pixart", "split"): (4.29, 1.28),
    ("shapes-sd3", "batched"): (2.57, 2.18),
    ("shapes-sd3", "split"): (3.48, 1.59),
    ("pictures", "split"): (4.30, 1.55),
}
"""The most operators and operations of a guided step, as multiples of an unguided one's."""


@functools.cache
def counted(name: str, plan: str | None) -> tuple[int, int]:
    """Operators and operations of a step."""
    pipe = load(name)
    backbone = backbone_for(pipe)
    denoiser = getattr(pipe, backbone.denoiser)
    size = Size(1, denoiser.config.sample_size, denoiser.config.sample_size, TEXT[name])
    model = meta_copy(denoiser, torch.float32)
    if plan is None:
        meter = unguided_step(model, size, together=True)
    else:
        meter = guided_step(model, backbone, size, PRESETS[name].config.with_(plan=plan), together=True)
    return meter.operators, meter.flops


@pytest.mark.parametrize(("name", "plan"), BUDGETS)
def test_a_guided_step_of_a_shipped_model_stays_within_its_budget(name, plan):
    found = [guided / plain for guided, plain in zip(counted(name, plan), counted(name, None), strict=True)]
    assert all(1 < ratio <= most for ratio, most in zip(found, BUDGETS[name, plan], strict=True)), found


@pytest.mark.parametrize("name", TEXT)
def test_the_step_that_is_counted_is_that_of_the_pipeline(name):
    """The text axis of `TEXT` is what the preset's call gives the denoiser."""
    pipe, preset, seen = load(name), PRESETS[name], []
    denoiser = getattr(pipe, backbone_for(pipe).denoiser)
    denoiser.register_forward_pre_hook(lambda _m, _a, kwargs: seen.append(kwargs["encoder_hidden_states"].shape[1]), with_kwargs=True)
    pipe("a circle", num_inference_steps=1, output_type="latent", **preset.call)
    assert set(seen) == {TEXT[name]}
