"""Layers of ComfyUI's U-Nets, by the numbers of its output blocks."""

import pytest
from torch import nn

from infsplign.adapters.sd import layers as sd_layers
from infsplign.adapters.sdxl import layers as sdxl_layers
from infsplign.errors import AttentionError
from integrations.comfyui.layers import taps_of
from tests import tiny
from tests.integrations.stand_in import UNet

SDXL = ((4, 4, 4), (2, 2, 2), (0, 0, 0))


def places(unet):
    return {level: [tap.place for tap in taps_of(unet) if tap.level == level] for level in ("coarse", "middle")}


@pytest.mark.parametrize("per_level", [2, 3])
def test_stable_diffusion_has_the_layers_of_the_second_and_third_level(per_level):
    levels = ((0,) * per_level, *((1,) * per_level,) * 3)
    found = places(UNet(levels))
    assert found["coarse"] == [(number, 0) for number in range(per_level, 2 * per_level)]
    assert found["middle"] == [(number, 0) for number in range(2 * per_level, 3 * per_level)]
    shown = sd_layers(tiny.sd(layers_per_block=per_level - 1).unet)  # diffusers: up_blocks.LEVEL.attentions.NUMBER
    assert {level: [(int(name[10]) * per_level + int(name.split(".")[3]), 0) for name in names] for level, names in shown.items()} == found


def test_sdxl_has_the_layers_of_the_second_block():
    shown = sdxl_layers(None)
    assert places(UNet(SDXL)) == {level: [(1, int(name.split(".")[-2])) for name in names] for level, names in shown.items()}


def test_names_are_of_modules():
    unet = UNet()
    assert all(unet.get_submodule(tap.name) is tap.module for tap in taps_of(unet))


def test_a_compiled_unet_is_known():
    compiled = nn.Module()
    compiled._orig_mod = UNet()
    assert places(compiled) == places(UNet())


@pytest.mark.parametrize(
    ("unet", "message"),
    [
        (nn.Linear(1, 1), "must hold a U-Net of Stable Diffusion 1.x, 2.x or XL, got Linear"),
        (UNet(((0, 0), (0, 0))), "block\\): none"),
        (UNet(((2, 2), (1, 1))), "missing: 1.2, 1.3"),
    ],
)
def test_other_models_are_refused(unet, message):
    with pytest.raises(AttentionError, match=message):
        taps_of(unet)
