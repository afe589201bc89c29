"""The layers that attend to text, of every family, and those that cannot be read."""

from dataclasses import replace

import pytest

from infsplign.adapters import backbone_for
from infsplign.calibration.layers import readable, text_layers
from infsplign.errors import AttentionError
from infsplign.pipelines.watching import watch
from infsplign.shipped import load
from tests import tiny, tiny_transformers


def test_all_cross_attention_of_a_unet():
    pipe = tiny.sd()
    names = text_layers(pipe, backbone_for(pipe))
    assert len(names) == 10
    assert {name.split(".")[0] for name in names} == {"down_blocks", "mid_block", "up_blocks"}
    assert all(name.endswith(".attn2") for name in names)


@pytest.mark.parametrize("name", sorted(tiny_transformers.MAKERS))
def test_every_block_of_a_transformer_and_nothing_else(name):
    pipe = tiny_transformers.MAKERS[name]()
    backbone = backbone_for(pipe)
    denoiser = getattr(pipe, backbone.denoiser)
    names = text_layers(pipe, backbone)
    read = [layer for part in backbone.layers(denoiser).values() for layer in part]
    assert set(read) <= set(names)
    assert len({layer.rpartition(".")[2] for layer in names}) == 1
    assert len(names) >= len(read)


def test_a_unet_without_the_layers_of_its_family_has_others():
    pipe = load("pictures-xl")
    backbone = backbone_for(pipe)
    with pytest.raises(AttentionError, match="has no up_blocks"):
        backbone.source(pipe.unet)
    names = text_layers(pipe, backbone)
    assert len(names) == 8
    with watch(pipe, ["a cat to the left of a dog"], names) as watching:
        pipe("a cat to the left of a dog", num_inference_steps=1, output_type="latent")
    assert {layer.layer for layer in watching.looks[0].layers} == set(names)


def test_a_denoiser_without_any_such_layer_is_refused():
    pipe = tiny.sd()
    backbone = replace(backbone_for(pipe), layers=lambda _: {"coarse": ("blocks.0.attn",)})
    with pytest.raises(AttentionError, match="UNet2DConditionModel has no layer like blocks.0.attn"):
        text_layers(pipe, backbone)


def run_without(*broken):
    def run(layers):
        bad = [name for name in layers if name in broken]
        if bad:
            raise AttentionError(f"`{bad[0]}` attends from 3 positions, which is no grid. See docs")
        return "done"

    return run


def test_layers_that_cannot_be_read_are_left_out():
    result, kept, dropped = readable(run_without("blocks.1", "blocks.10"), ["blocks.1", "blocks.10", "blocks.11", "blocks.2"])
    assert (result, kept) == ("done", ("blocks.11", "blocks.2"))
    assert "3 positions" in dropped["blocks.1"]
    assert set(dropped) == {"blocks.1", "blocks.10"}


def test_an_error_that_names_no_layer_or_the_last_one_is_raised():
    with pytest.raises(AttentionError, match="positions"):
        readable(run_without("a"), ["a"])

    def fails(_layers):
        raise AttentionError("the processor is unknown")

    with pytest.raises(AttentionError, match="processor"):
        readable(fails, ["a", "b"])
