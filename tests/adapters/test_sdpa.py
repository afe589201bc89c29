"""Which calls of attention are made so that they return their log-sum-exp, and which are left as they are."""

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from infsplign import Guidance, GuidanceConfig, Scene
from infsplign.adapters import FAMILIES, AttentionRecorder, kernels
from infsplign.adapters.sdpa import SdpaCall, with_log_sum_exp
from infsplign.engine.checkpointing import in_checkpoint
from tests import tiny, tiny_transformers
from tests.adapters_inputs import INPUTS

MAKERS = {"sd": tiny.sd, "sdxl": tiny.sdxl} | tiny_transformers.MAKERS
UNMASKED = ("sd", "sdxl", "sd3", "flux")


def call(**options):
    made = [torch.randn(2, 3, n, 8, generator=torch.Generator().manual_seed(n)) for n in (6, 7, 7)]
    return SdpaCall.of(*made, **options)


def test_a_plain_call_gives_its_result_to_the_bit_and_its_log_sum_exp():
    for scale in (None, 0.2):
        seen = call(scale=scale)
        out, lse = with_log_sum_exp(seen)
        assert torch.equal(out, F.scaled_dot_product_attention(*seen[:3], scale=scale))
        assert torch.allclose(lse, (seen.scale * seen.query @ seen.key.mT).logsumexp(-1), atol=1e-5)


@pytest.mark.parametrize(
    "left", [call(attn_mask=torch.zeros(6, 7)), call(dropout_p=0.1), call(is_causal=True), call(enable_gqa=True),
             call()._replace(value=None), call()._replace(value=torch.zeros(2, 3, 7, 5)), call()._replace(query=torch.zeros(2, 6, 6, 8)),
             SdpaCall.of(*[torch.zeros(3, 6, 8)] * 3)],
)  # fmt: skip
def test_calls_of_another_kind_are_left(left):
    assert with_log_sum_exp(left) == (None, None)


def test_a_call_is_left_where_another_operator_would_run_or_the_caller_s_context_wants_another(monkeypatch):
    with sdpa_kernel(SDPBackend.MATH):
        assert with_log_sum_exp(call()) == (None, None)
    with torch.autocast("cpu", torch.bfloat16):
        assert with_log_sum_exp(call()) == (None, None)
    token = in_checkpoint.set(True)
    assert with_log_sum_exp(call()) == (None, None)
    in_checkpoint.reset(token)
    assert with_log_sum_exp(call())[0] is not None
    monkeypatch.delattr(torch, "_fused_sdp_choice")
    assert with_log_sum_exp(call()) == (None, None)


@pytest.mark.parametrize("name", MAKERS)
def test_the_gradient_is_the_same_without_any_kernel(name, monkeypatch):
    """Of every family, masked or not, and by every plan: with the log-sum-exp, and in chunks where no operator passes its check."""
    backbone = FAMILIES[name]
    denoiser = getattr(MAKERS[name](), backbone.denoiser).eval()
    sample, kwargs = INPUTS[name](2, (16, 16))
    scene = Scene.of([("circle", "left of", "square")])

    def known():
        with torch.no_grad(), backbone.source(denoiser).record(sample, **kwargs) as attention:
            denoiser(sample, **kwargs)
        return {layer.lse is not None for layer in attention}

    def passes():
        for plan, rows in (("split", None), ("checkpoint", None), ("batched", slice(1, 2))):
            engine = Guidance(denoiser, backbone.source(denoiser), scene, [[1], [2, 3]], GuidanceConfig(plan=plan))
            yield engine.run(sample, (), kwargs, rows=rows)

    if name in UNMASKED:
        assert known() == {True}
    fused = list(passes())
    monkeypatch.delitem(kernels.KERNELS, "cpu")
    assert known() == {False}
    for mine, its in zip(fused, passes(), strict=True):
        assert torch.equal(mine.output[0], its.output[0])
        largest = float(its.gradient.abs().max())
        assert largest > 0
        torch.testing.assert_close(mine.gradient, its.gradient, rtol=1e-4, atol=1e-5 * largest)


def test_a_denoiser_that_checkpoints_itself_is_left_as_it_is():
    pipe = tiny.sd()
    pipe.unet.enable_gradient_checkpointing()
    pipe.unet.train()
    sample, kwargs = INPUTS["sd"](1, (16, 16))
    source = AttentionRecorder(pipe.unet, FAMILIES["sd"].layers(pipe.unet))
    with source.record(sample.requires_grad_(), **kwargs) as attention:
        pipe.unet(sample, **kwargs)
    assert all(layer.lse is None for layer in attention)
    maps = attention[0].object_maps(torch.eye(attention[0].text_length)[None, :, :2])
    assert torch.autograd.grad(maps[0, 0, 0, 0], sample)[0].abs().max() > 0


def test_grouped_heads_are_read_as_torch_repeats_them():
    class Grouped(torch.nn.Module):
        def forward(self, query, key):
            return F.scaled_dot_product_attention(query, key, key, enable_gqa=True)

    holder = torch.nn.Module()
    holder.attn = Grouped()
    query, key = torch.randn(1, 4, 6, 8), torch.randn(1, 2, 5, 8)
    with AttentionRecorder(holder, {"coarse": ["attn"]}).record(torch.zeros(1, 1, 2, 3)) as attention:
        out = holder.attn(query, key)
    assert torch.allclose(attention[0].probabilities() @ key.repeat_interleave(2, 1), out, atol=1e-6)


def test_torch_is_asked_which_operator_this_very_call_takes(monkeypatch):
    asked = []
    choose = torch._fused_sdp_choice
    monkeypatch.setattr(torch, "_fused_sdp_choice", lambda *args, **kwargs: asked.append((args, kwargs)) or choose(*args, **kwargs))
    seen = call(scale=0.2)
    assert with_log_sum_exp(seen)[0] is not None
    ((args, kwargs),) = asked
    assert all(a is b for a, b in zip(args[:3], seen[:3], strict=True))
    assert args[3:] == (None, 0.0, False)
    assert kwargs == {"scale": 0.2}


def test_a_call_of_three_operands_is_a_plain_one_at_the_usual_scale():
    query, key, value = call()[:3]
    seen = SdpaCall.of(query, key, value)
    assert (seen.scale, seen.mask, seen.plain) == (8**-0.5, None, True)
    assert seen.query is query
    assert seen.key is key
    assert seen.value is value
    assert SdpaCall(query, key, value, 0.5).plain is True
    assert SdpaCall.of(query, key, value, scale=2).scale == 2.0


SHAPES = {
    "the same": ((2, 3, 6, 8), (2, 3, 7, 8), (2, 3, 7, 8), True),
    "values of another width": ((2, 3, 6, 8), (2, 3, 7, 8), (2, 3, 7, 5), False),
    "fewer heads of keys": ((2, 4, 6, 8), (2, 2, 7, 8), (2, 2, 7, 8), False),
    "one row of keys": ((2, 3, 6, 8), (1, 3, 7, 8), (1, 3, 7, 8), False),
    "three axes": ((3, 6, 8), (3, 7, 8), (3, 7, 8), False),
}


@pytest.mark.parametrize(("query", "key", "value", "taken"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_only_operands_of_equal_rows_heads_and_widths_are_taken(query, key, value, taken, device):
    """On the meta device too, where torch is not asked for its operator."""
    seen = SdpaCall.of(*(torch.zeros(shape, device=device) for shape in (query, key, value)))
    out, lse = with_log_sum_exp(seen)
    assert (out is not None) is (lse is not None) is taken
    assert not taken or (out.shape == query and lse.shape == query[:3])
