"""Gradients of each step are taken down, for each image."""

from dataclasses import replace

import torch

from benchmarks import reuse
from benchmarks.layers import reading
from infsplign import PAPER
from infsplign.evaluation.prompts.world_prompts import prompts
from infsplign.shipped import PRESETS, load


def test_one_gradient_a_step_and_image(monkeypatch):
    preset = PRESETS["shapes"]
    monkeypatch.setattr(reuse, "PRESETS", {"shapes": replace(preset, steps=2)})
    pipe = load("shapes")
    pipe.set_progress_bar_config(disable=True)
    config = reading(PAPER.with_(scale=reuse.UNGUIDED), preset.config.layers)
    found = reuse.gradients(pipe, "shapes", prompts("tune", 2), config)
    side = pipe.unet.config.sample_size
    assert found.shape == (2, 2, pipe.unet.config.in_channels * side * side)
    assert torch.isfinite(found).all()
    assert (found.norm(dim=-1) > 0).all()
