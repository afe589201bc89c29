"""Gradients of each step are taken down, for each image."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks import loss_scale, reuse
from benchmarks.layers import reading
from infsplign import PAPER
from infsplign.evaluation.prompts.world_prompts import prompts
from infsplign.shipped import PRESETS, load


@pytest.mark.parametrize("model", ["shapes", "pictures"])
def test_prompts_are_of_the_model_s_own_world(model, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(reuse, "load", lambda name: SimpleNamespace(set_progress_bar_config=lambda **_: None))
    monkeypatch.setattr(reuse, "gradients", lambda pipe, name, found, config: asked.extend(found) or torch.ones(9, 2, 3))
    monkeypatch.setattr(sys, "argv", ["reuse", "--model", model, "--prompts", "2", "--out", str(tmp_path / "page.md")])
    reuse.main()
    assert asked[:2] == prompts("tune", 2, PRESETS[model].world)
    texts = []
    monkeypatch.setattr(loss_scale, "table", lambda name, found, every: texts.extend(found) or [])
    monkeypatch.setattr(sys, "argv", ["loss_scale", "--models", model, "--prompts", "2", "--out", str(tmp_path / "page.md")])
    loss_scale.main()
    assert texts == [p.text for p in asked[:2]]


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
