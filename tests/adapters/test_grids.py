"""Grids: those of the feature maps, not any factor that fits the number of positions."""

import copy

import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention

from infsplign import AttentionError, guide
from infsplign.adapters import AttentionRecorder, sd
from infsplign.adapters.grids import grid_of
from tests import tiny

PROMPT = "a circle to the left of a square"


@pytest.mark.parametrize(
    ("positions", "size", "grid"),
    [(256, (64, 64), (16, 16)), (96, (64, 96), (8, 12)), (9 * 13, (65, 97), (9, 13)), (24 * 24, (24, 24), (24, 24)), (1, (3, 3), (1, 1))],
)
def test_grids_of_patches_follow_from_their_number(positions, size, grid):
    assert grid_of(positions, *size, "layer") == grid


def test_a_number_of_positions_that_is_no_grid_is_refused():
    with pytest.raises(AttentionError, match="77 positions.*64 x 64"):
        grid_of(77, 64, 64, "attn2")


def merge(unet, keep):
    """As tomesd does it: in each transformer block, cross-attention gets `keep` of the tokens, and its output is spread over all."""
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            attend = block.attn2.forward

            def merged(x, *args, attend=attend, **kwargs):
                every = round(1 / keep)
                return attend(x[:, ::every], *args, **kwargs).repeat_interleave(every, 1)[:, : x.shape[1]]

            block.attn2.forward = merged


@pytest.mark.parametrize("keep", [1 / 4, 1 / 2, 1 / 16])
def test_case_8_merged_tokens_are_no_smaller_grid(keep):
    pipe = tiny.sd()
    merge(pipe.unet, keep)
    with pytest.raises(AttentionError, match=r"positions, but its block gets.*merge_crossattn=False"), guide(pipe, PROMPT):
        pipe(PROMPT, num_inference_steps=1, output_type="latent", height=64, width=64)


def test_case_8_tokens_merged_before_the_blocks():
    pipe = tiny.sd()
    inner = pipe.unet.up_blocks[1].attentions[0].transformer_blocks[0]
    forward = inner.forward
    inner.forward = lambda x, *args, **kwargs: forward(x[:, ::4], *args, **kwargs).repeat_interleave(4, 1)
    sample = torch.randn(1, 4, 16, 16)
    source = AttentionRecorder(pipe.unet, sd.layers(pipe.unet))
    inner.register_forward_pre_hook(lambda _module, args: (args[0],))
    with pytest.raises(AttentionError, match="merged or dropped"), source.record(sample):
        pipe.unet(sample, 500, encoder_hidden_states=torch.randn(1, 77, 32))


@pytest.mark.parametrize("size", [(16, 16), (15, 22), (18, 14)])
def test_case_8_every_depth_of_a_unet_has_the_grid_of_its_feature_map(size):
    unet = tiny.sd().unet
    layers = [name for name, module in unet.named_modules() if isinstance(module, Attention) and name.endswith("attn2")]
    sizes = {}
    for name, module in unet.named_modules():
        if type(module).__name__ == "Transformer2DModel":
            module.register_forward_pre_hook(lambda _m, args, name=name: sizes.__setitem__(name, tuple(args[0].shape[-2:])))
    with AttentionRecorder(unet, {"coarse": layers}).record(sample := torch.randn(1, 4, *size)) as attention:
        unet(sample, 500, encoder_hidden_states=torch.randn(1, 5, 32))
    assert [a.grid for a in attention] == [sizes[a.layer.split(".transformer_blocks")[0]] for a in attention]
    assert len(attention) == len(layers) == 10


class Patches(torch.nn.Module):
    """A transformer that cuts latents into patches of 2 x 2, and may keep a quarter of them."""

    def __init__(self, *, merging):
        super().__init__()
        self.merging, self.cut = merging, torch.nn.Conv2d(4, 8, 2, 2)
        self.attn = Attention(query_dim=8, cross_attention_dim=8, heads=2, dim_head=4)

    def forward(self, sample, text):
        x = self.cut(sample).flatten(2).transpose(1, 2)
        return self.attn(x[:, ::4] if self.merging else x, encoder_hidden_states=text)


def test_case_8_patches_are_those_of_the_convolution():
    def grid(merging):
        model = Patches(merging=merging)
        with AttentionRecorder(model, {"coarse": ["attn"]}).record(sample := torch.randn(1, 4, 16, 16)) as attention:
            model(sample, torch.randn(1, 5, 8))
        return attention[0].grid

    assert grid(merging=False) == (8, 8)
    with pytest.raises(AttentionError, match="convolutions give 8 x 8"):
        grid(merging=True)


def test_case_8_rows_that_are_tiles_of_the_image():
    pipe = tiny.sd()
    attention = pipe.unet.get_submodule("up_blocks.1.attentions.0.transformer_blocks.0.attn2")
    forward = attention.forward

    def tiled(x, encoder_hidden_states=None, **kwargs):
        return (
            forward(x.unflatten(1, (4, -1)).flatten(0, 1), encoder_hidden_states.repeat(4, 1, 1), **kwargs)
            .unflatten(0, (-1, 4))
            .flatten(1, 2)
        )

    attention.forward = tiled
    with pytest.raises(AttentionError, match="attends"), guide(pipe, PROMPT):
        pipe(PROMPT, num_inference_steps=1, output_type="latent")


def test_the_watched_denoiser_is_what_it_was():
    unet = tiny.sd().unet
    clean = copy.deepcopy(unet)
    with AttentionRecorder(unet, sd.layers(unet)).record(sample := torch.randn(1, 4, 16, 16)):
        unet(sample, 500, encoder_hidden_states=torch.randn(1, 5, 32))
    for a, b in zip(unet.modules(), clean.modules(), strict=True):
        assert (a._forward_hooks, a._forward_pre_hooks, "forward" in vars(a)) == (b._forward_hooks, b._forward_pre_hooks, False)


def test_convolutions_are_watched_in_the_first_pass_of_each_size(monkeypatch):
    pipe, hooked = tiny.sd(), []
    register = torch.nn.Module.register_forward_hook
    monkeypatch.setattr(torch.nn.Conv2d, "register_forward_hook", lambda self, hook: hooked.append(self) or register(self, hook))
    source = AttentionRecorder(pipe.unet, sd.layers(pipe.unet))
    text = torch.randn(1, 77, pipe.unet.config.cross_attention_dim)
    for side, first in ((16, True), (16, False), (32, True), (16, False), (32, False)):
        hooked.clear()
        with torch.no_grad(), source.record(torch.randn(1, 4, side, side)) as attention:
            pipe.unet(torch.randn(1, 4, side, side), 1, encoder_hidden_states=text)
        assert bool(hooked) == first
        assert {layer.grid for layer in attention} == {(side // 4, side // 4), (side // 2, side // 2)}


def test_a_pass_that_fails_is_no_first_pass():
    pipe = tiny.sd()
    source = AttentionRecorder(pipe.unet, sd.layers(pipe.unet))
    sample, text = torch.randn(1, 4, 16, 16), torch.randn(1, 77, pipe.unet.config.cross_attention_dim)
    with pytest.raises(KeyError), source.record(sample):
        raise KeyError
    assert source._convolved == {}
    with torch.no_grad(), source.record(sample):
        pipe.unet(sample, 1, encoder_hidden_states=text)
    assert (8, 8) in source._convolved[16, 16]


def test_patches_merged_after_the_first_pass_are_refused_too():
    model, sample = Patches(merging=False), torch.randn(1, 4, 16, 16)
    source = AttentionRecorder(model, {"coarse": ["attn"]})
    with source.record(sample):
        model(sample, torch.randn(1, 5, 8))
    model.merging = True
    with pytest.raises(AttentionError, match="convolutions give 8 x 8"), source.record(sample):
        model(sample, torch.randn(1, 5, 8))


def test_merging_that_begins_after_the_first_pass_is_refused_too():
    pipe = tiny.sd()
    source = AttentionRecorder(pipe.unet, sd.layers(pipe.unet))
    sample, text = torch.randn(1, 4, 16, 16), torch.randn(1, 77, pipe.unet.config.cross_attention_dim)
    with torch.no_grad(), source.record(sample):
        pipe.unet(sample, 1, encoder_hidden_states=text)
    merge(pipe.unet, 1 / 4)
    with pytest.raises(AttentionError, match="its block gets"), torch.no_grad(), source.record(sample):
        pipe.unet(sample, 1, encoder_hidden_states=text)


class Block(torch.nn.Module):
    """The plainest block of a UNet of one's own: it gets a feature map and a text, and holds the attention itself."""

    def __init__(self):
        super().__init__()
        self.q, self.kv = torch.nn.Linear(4, 4), torch.nn.Linear(6, 8)

    def forward(self, maps, text):
        key, value = self.kv(text).chunk(2, -1)
        query = self.q(maps.flatten(2).mT)
        seen = torch.nn.functional.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
        return maps + seen.mT.unflatten(-1, maps.shape[-2:])


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList([Block(), Block()])

    def forward(self, sample, timestep, text):
        for block in self.blocks:
            sample = block(sample, text)
        return sample


def test_the_text_of_a_block_that_gets_a_feature_map_is_not_taken_for_its_positions():
    net = Net()
    with AttentionRecorder(net, {"coarse": ("blocks.0",), "middle": ("blocks.1",)}).record(torch.zeros(2, 4, 5, 7)) as attention:
        net(torch.randn(2, 4, 5, 7), 0, torch.randn(2, 9, 6))
    assert [(layer.grid, layer.text_length) for layer in attention] == [((5, 7), 9)] * 2
