"""What the recorder sees: the attention that really runs, whatever the processor, and only while it is asked."""

from threading import Event, Thread

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0, SlicedAttnProcessor
from torch import nn

from infsplign import PAPER, AttentionError, Guidance, GuidanceConfig, Scene, guide
from infsplign.adapters import AttentionRecorder, sd
from infsplign.engine.patching import swapped_attribute
from infsplign.testing.module_state import module_state
from tests import tiny

PROMPT = "a circle to the left of a square"


def recorded(pipe, size=16, rows=2, dtype=torch.float32):
    torch.manual_seed(0)
    sample, embeds = torch.randn(rows, 4, size, size + 8, dtype=dtype), torch.randn(rows, 77, 32, dtype=dtype)
    source = AttentionRecorder(pipe.unet, sd.layers(pipe.unet))
    with source.record(sample) as attention:
        output = pipe.unet(sample, 500, encoder_hidden_states=embeds).sample
    return attention, output, (sample, embeds)


def test_maps_are_probabilities_on_the_layer_s_grid():
    attention, output, (sample, embeds) = recorded(tiny.sd())
    assert [a.grid for a in attention] == [(4, 6), (4, 6), (8, 12), (8, 12)]
    assert [a.level for a in attention] == ["coarse", "coarse", "middle", "middle"]
    for layer in attention:
        p = layer.probabilities()
        assert p.shape == (2, 2, layer.grid[0] * layer.grid[1], 77)
        assert torch.allclose(p.sum(-1), torch.ones(()), atol=1e-6)
    assert torch.equal(output, tiny.sd().unet(sample, 500, encoder_hidden_states=embeds).sample)


@pytest.mark.parametrize("processor", [AttnProcessor, lambda: SlicedAttnProcessor(1)], ids=["vanilla", "sliced"])
def test_processors_without_fused_attention_are_read_from_their_projections(processor):
    pipe = tiny.sd()
    expected, _, _ = recorded(pipe)
    pipe.unet.set_attn_processor({name: processor() for name in pipe.unet.attn_processors})
    got, _, _ = recorded(pipe)
    for a, b in zip(got, expected, strict=True):
        assert torch.allclose(a.probabilities(), b.probabilities(), atol=1e-6)


class OwnSoftmax(nn.Module):
    """Cross-attention of one's own without `scaled_dot_product_attention`."""

    def __init__(self, change=lambda x: x, out=True):
        super().__init__()
        self.heads, self.change = 2, change
        self.to_q, self.to_k, self.to_v = nn.Linear(4, 8), nn.Linear(6, 8), nn.Linear(6, 8)
        self.to_out = nn.Linear(8, 4) if out else None

    def forward(self, hidden, text):
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.to_q(hidden), self.to_k(text), self.to_v(text)))
        out = ((self.change(q) @ self.change(k).mT * q.shape[-1] ** -0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        return out if self.to_out is None else self.to_out(out)


class Own(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attn = OwnSoftmax(**options)

    def forward(self, sample, text):
        return self.attn(sample.flatten(2).mT, text)


def own_maps(dtype=torch.float32, **options):
    torch.manual_seed(0)
    model, sample, text = Own(**options).to(dtype), torch.randn(2, 4, 3, 5, dtype=dtype), torch.randn(2, 7, 6, dtype=dtype)
    with AttentionRecorder(model, {"coarse": ["attn"]}).record(sample) as attention:
        model(sample, text)
    return attention[0].probabilities(), model, sample, text


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_softmax_of_one_s_own_is_read_from_the_projections_that_it_uses(dtype):
    maps, model, sample, text = own_maps(dtype)
    q, k = (x.unflatten(-1, (2, -1)).transpose(1, 2).float() for x in (model.attn.to_q(sample.flatten(2).mT), model.attn.to_k(text)))
    assert torch.allclose(maps.float(), (q @ k.mT / 2).softmax(-1), atol=1e-2 if dtype != torch.float32 else 1e-6)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"change": lambda x: x.roll(1, -1) * torch.arange(1, 1 + x.shape[2])[:, None]}, "attn` does not attend by the outputs of `to_q`"),
        ({"change": lambda x: nn.functional.normalize(x, dim=-1)}, "attn` does not attend by the outputs of `to_q`"),
        ({"out": False}, "without `to_v` and `to_out` it cannot be told"),
    ],
    ids=["positions in between", "norm in between", "no output to compare with"],
)
def test_projections_that_a_softmax_of_one_s_own_changes_first_are_refused(options, told):
    with pytest.raises(AttentionError, match=told):
        own_maps(**options)


def test_a_layer_that_runs_twice_in_a_pass_is_refused():
    """As where a function makes both halves of classifier-free guidance in turn: the negative prompt's attention would be read."""
    torch.manual_seed(0)
    model, sample, text = Own(), torch.randn(2, 4, 3, 5), torch.randn(2, 7, 6)
    recorder = AttentionRecorder(model, {"coarse": ["attn"]})
    with pytest.raises(AttentionError, match="`attn` runs several times in one pass, and only the first"), recorder.record(sample):
        model(sample, text.flip(0))
        model(sample, text)


def test_guidance_is_the_same_with_sliced_and_fused_attention():
    def run(pipe):
        with guide(pipe, PROMPT) as guidance:
            pipe(PROMPT, num_inference_steps=2, output_type="latent", generator=torch.Generator().manual_seed(0))
        return guidance.trace[0]

    fused, sliced = tiny.sd(), tiny.sd()
    sliced.enable_attention_slicing(1)
    assert torch.allclose(run(sliced).gradient_norm, run(fused).gradient_norm, rtol=1e-4)


def test_a_processor_that_hides_its_attention_is_named_with_the_remedy():
    class Hidden:
        def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
            return hidden_states

    pipe = tiny.sd()
    processors = dict(pipe.unet.attn_processors)
    hidden = next(name for name in processors if name.startswith("up_blocks.1.attentions.1") and "attn2" in name)
    pipe.unet.set_attn_processor(processors | {hidden: Hidden()})
    with pytest.raises(AttentionError, match=r"up_blocks\.1\.attentions\.1.*Hidden.*AttnProcessor2_0"), guide(pipe, PROMPT):
        pipe(PROMPT, num_inference_steps=2, output_type="latent")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in pipe.unet.modules())


@pytest.mark.parametrize("layer", ["mid_block.attentions.0.transformer_blocks.0.attn1", "down_blocks.2.attentions.0.transformer_blocks.0"])
def test_self_attention_is_no_attention_to_a_text(layer):
    """Its keys are positions of the image, which would be taken for tokens; a whole block attends to itself first."""
    pipe, config = tiny.sd(), PAPER.with_(layers={"coarse": (layer,)}, balance=0.0)
    with pytest.raises(AttentionError, match=r"attends from the \d+ positions of the image to themselves, and not to the text.*`attn2`"):
        with guide(pipe, PROMPT, config=config):
            pipe(PROMPT, num_inference_steps=1, output_type="latent")


def test_a_text_of_as_many_tokens_as_the_image_has_positions_is_read():
    pipe = tiny.sd()
    pipe.unet.requires_grad_(False)
    sample, text = torch.randn(2, 4, 16, 16, requires_grad=True), torch.randn(2, 16, 32)
    source = AttentionRecorder(pipe.unet, {"coarse": ("down_blocks.2.attentions.0.transformer_blocks.0.attn2",)})
    with source.record(sample) as attention:
        pipe.unet(sample, 500, encoder_hidden_states=text)
    assert attention[0].probabilities().shape == (2, 2, 16, 16)


def test_only_the_first_attention_of_a_module_counts():
    """IP-Adapter attends to the text first and then, in the same module, to the image."""

    class Twice(AttnProcessor2_0):
        def __call__(self, attn, hidden_states, *args, encoder_hidden_states=None, **kwargs):
            first = super().__call__(attn, hidden_states, encoder_hidden_states)
            return first + super().__call__(attn, hidden_states, encoder_hidden_states.flip(1))

    expected, _, _ = recorded(tiny.sd())
    pipe = tiny.sd()
    pipe.unet.get_submodule("up_blocks.1.attentions.0.transformer_blocks.0.attn2").set_processor(Twice())
    got, _, _ = recorded(pipe)
    assert torch.equal(got[0].probabilities(), expected[0].probabilities())


def test_recording_a_graph_stops_after_the_last_tapped_layer():
    pipe = tiny.sd()
    seen = {}
    for name in ("up_blocks.1", "up_blocks.3", "conv_out"):
        pipe.unet.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: seen.__setitem__(name, out.requires_grad))
    source = AttentionRecorder(pipe.unet, sd.layers(pipe.unet))
    sample = torch.randn(1, 4, 16, 16, requires_grad=True)
    pipe.unet.requires_grad_(False)
    with source.record(sample) as attention:
        pipe.unet(sample, 500, encoder_hidden_states=torch.randn(1, 77, 32))
    assert seen == {"up_blocks.1": True, "up_blocks.3": False, "conv_out": False}
    assert torch.is_grad_enabled()
    assert all(a.query.requires_grad for a in attention)


def test_masked_tokens_get_no_attention():
    module = Attention(query_dim=8, cross_attention_dim=8, heads=2, dim_head=4)
    holder = torch.nn.Module()
    holder.attn2 = module
    for processor in (AttnProcessor2_0(), AttnProcessor()):
        module.set_processor(processor)
        keep = torch.tensor([[True] * 3 + [False] * 2])
        mask = torch.where(keep, 0.0, -10000.0)[:, None]
        with AttentionRecorder(holder, {"coarse": ["attn2"]}).record(torch.zeros(1, 1, 2, 3)) as attention:
            module(torch.randn(1, 6, 8), encoder_hidden_states=torch.randn(1, 5, 8), attention_mask=mask)
        p = attention[0].probabilities()
        assert p[..., 3:].max() == 0
        assert torch.allclose(p.sum(-1), torch.ones(()))


def test_boolean_masks_are_read_as_attended_where_true():
    class Joint(torch.nn.Module):
        def forward(self, x, mask):
            return torch.nn.functional.scaled_dot_product_attention(x, x, x, mask)

    holder = torch.nn.Module()
    holder.attn = Joint()
    with AttentionRecorder(holder, {"coarse": ["attn"]}).record(torch.zeros(1, 1, 2, 2)) as attention:
        holder.attn(torch.randn(1, 2, 4, 8), torch.tensor([True, True, False, True]).expand(1, 1, 4, 4))
    assert attention[0].probabilities()[..., 2].max() == 0


class CausalText(torch.nn.Module):
    """Joint attention over `[text; image]` in which no position attends to those behind it."""

    def __init__(self, *, fused):
        super().__init__()
        self.attention, self.fused = torch.nn.Identity(), fused
        self.attention.forward = self.attend

    def attend(self, x):
        mask = torch.ones(x.shape[2], x.shape[2], dtype=torch.bool).tril()
        given = {"is_causal": True} if self.fused else {"attn_mask": mask}
        return torch.nn.functional.scaled_dot_product_attention(x, x, x, **given)

    def forward(self, sample):
        return self.attention(torch.cat((torch.ones(1, 1, 5, 4), sample.flatten(2).mT[:, None]), 2))


def test_a_causal_call_is_read_as_one_with_a_causal_mask():
    sample, found = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0)), []
    for fused in (True, False):
        model = CausalText(fused=fused)
        source = AttentionRecorder(model, {"coarse": ("attention",)}, text="first", grid=lambda *_: (3, 3))
        with source.record(sample) as attention:
            model(sample)
        found.append(attention[0].probabilities())
    assert torch.equal(*found)
    assert float(found[0][0, 0, 0, 6:].abs().max()) == 0  # the first position of the image attends to nothing behind it


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit, RuntimeError])
@pytest.mark.parametrize(
    "place", ["up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v", "up_blocks.1.attentions.0.transformer_blocks.0.attn2", "conv_out"]
)
@pytest.mark.parametrize("plan", ["split", "checkpoint"])
def test_case_13_an_interrupt_leaves_everything_as_it_was(interrupt, place, plan):
    pipe = tiny.sd()
    call = {"num_inference_steps": 1, "output_type": "latent"}
    plain = pipe(PROMPT, generator=torch.Generator().manual_seed(0), **call).images
    modes = torch.overrides._get_current_function_mode_stack()
    before = module_state(pipe.unet)

    def stop(*_args, **_kwargs):
        raise interrupt

    with pytest.raises(interrupt), guide(pipe, PROMPT, config=PAPER.with_(plan=plan)):
        with swapped_attribute(pipe.unet.get_submodule(place), "forward", stop):
            pipe(PROMPT, **call)
    assert torch.overrides._get_current_function_mode_stack() == modes
    assert module_state(pipe.unet) == before, before.missing(module_state(pipe.unet))
    assert torch.is_grad_enabled()
    assert torch.equal(pipe(PROMPT, generator=torch.Generator().manual_seed(0), **call).images, plain)


def test_case_13_a_generator_that_is_closed_in_the_middle():
    pipe = tiny.sd()

    def images():
        with guide(pipe, PROMPT):
            yield 1

    opened = images()
    next(opened)
    opened.close()
    assert "forward" not in vars(pipe.unet)
    assert "step" not in vars(pipe.scheduler)


@pytest.mark.parametrize(("added", "columns"), [((0, 0), 7), ((2, 0), 5), ((0, 3), 4), ((1, 2), 4)])
@pytest.mark.parametrize("text", ["first", "last", "all"])
def test_case_7_tokens_that_the_model_adds_are_no_columns(added, columns, text):
    class Joint(torch.nn.Module):
        def forward(self, query, key):
            return torch.nn.functional.scaled_dot_product_attention(query, key, key)

    holder = torch.nn.Module()
    holder.attn = Joint()
    image, words = torch.randn(1, 2, 4, 8), torch.randn(1, 2, 7, 8)
    keys = {"first": torch.cat((words, image), 2), "last": torch.cat((image, words), 2), "all": words}[text]
    source = AttentionRecorder(holder, {"coarse": ["attn"]}, text=text, grid=lambda *_: (2, 2), added=added)
    with source.record(torch.zeros(1, 1, 2, 2)) as attention:
        holder.attn(image, keys)
    start = {"first": 0, "last": 4, "all": 0}[text] + added[0]
    assert attention[0].text_length == columns
    assert attention[0].text == (start, start + columns)


def test_parts_that_were_compiled_apart_are_named_with_the_remedy():
    """`torch.compile(part)` puts another module in its place, which renames the layers below it; in place they keep their names."""
    pipe = tiny.sd()
    pipe.unet.up_blocks[1].compile(backend="eager")
    with guide(pipe, PROMPT) as guidance:
        pipe(PROMPT, num_inference_steps=2, output_type="latent")
    assert guidance.trace
    pipe.unet.up_blocks[1] = torch.compile(pipe.unet.up_blocks[1], backend="eager")
    with pytest.raises(AttentionError, match=r"up_blocks.1.* are renamed by `torch.compile\(part\)`; write `part.compile\(\)`"):
        guide(pipe, PROMPT)


class Parts(nn.Module):
    """Cross-attention that calls `scaled_dot_product_attention` once for each part of its heads, and then perhaps to further tokens."""

    def __init__(self, parts=1, further=0):
        super().__init__()
        self.parts, self.further = parts, further
        self.to_q, self.to_k = nn.Linear(4, 8), nn.Linear(6, 8)
        self.between = nn.Identity()

    def forward(self, hidden, text):
        q, k = (x.unflatten(-1, (4, -1)).transpose(1, 2) for x in (self.to_q(hidden), self.to_k(text)))
        each = zip(q.chunk(self.parts, 1), k.chunk(self.parts, 1), strict=True)
        out = torch.cat([F.scaled_dot_product_attention(a, b, b) for a, b in each], 1)
        for _ in range(self.further):
            out = out + F.scaled_dot_product_attention(q, k.flip(2), k)
        return self.between(out.transpose(1, 2).flatten(2)[..., :4])


class Net(nn.Module):
    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(0)
        self.attn, self.last = Parts(**options), nn.Linear(4, 4)

    def forward(self, sample, text):
        x = sample.flatten(2).mT
        return self.last(x + self.attn(x, text)).mT.unflatten(2, sample.shape[2:])


ONE = GuidanceConfig(balance=0.0, layers={"coarse": ("attn",)})


def guidance_of(model):
    return Guidance(model, AttentionRecorder(model, ONE.layers), Scene.of([("a", "left of", "b")]), [[1], [4]], ONE)


def test_a_module_that_attends_part_by_part_is_refused():
    """Of one call for each head, only the first head would be read."""
    sample, text = torch.randn(2, 4, 3, 5), torch.randn(2, 7, 6)
    with pytest.raises(AttentionError, match="`attn` calls `scaled_dot_product_attention` several times, such as once for each head"):
        guidance_of(Net(parts=4))(sample, text)
    whole = guidance_of(Net())(sample, text).report
    assert torch.equal(guidance_of(Net(further=2))(sample, text).report.total, whole.total)  # as IP-Adapter does, with the same queries


@pytest.mark.parametrize("guided", [True, False])
def test_passes_of_other_threads_are_not_recorded(guided):
    """Two samplings of one denoiser: the other thread's pass begins while the first one's is half-way."""
    model, texts = Net(), torch.randn(2, 1, 7, 6)
    samples = [torch.randn(1, 4, 3, 5), torch.randn(1, 4, 5, 3)]
    expected = [guidance_of(model)(x, text) for x, text in zip(samples, texts, strict=True)]
    found, inside, other = {}, Event(), Event()

    def second():
        inside.wait(10)
        if guided:
            found[1] = guidance_of(model)(samples[1], texts[1])
        else:
            with torch.no_grad():
                model(samples[1], texts[1])
        other.set()

    def wait(*_):
        if not inside.is_set():
            inside.set()
            other.wait(0.2 if guided else 10)  # a guided pass waits for this one

    thread = Thread(target=second)
    thread.start()
    with model.attn.to_q.register_forward_pre_hook(wait):
        found[0] = guidance_of(model)(samples[0], texts[0])
    thread.join(10)
    for number, result in found.items():
        torch.testing.assert_close(result.report.total, expected[number].report.total)
        torch.testing.assert_close(result.gradient, expected[number].gradient)
    assert "forward" not in vars(model.attn)


@pytest.mark.parametrize(
    ("layers", "error", "told"),
    [
        ({"coarse": "attn"}, TypeError, "lists of module names"),
        (["attn"], TypeError, "map levels to lists"),
        ({"fine": ("attn",)}, ValueError, "be one of coarse, middle, got 'fine'"),
        ({"coarse": ("attn",), "middle": ("attn",)}, ValueError, "one level, got attn in coarse and middle"),
    ],
)
def test_layers_of_another_form_are_refused_at_once(layers, error, told):
    with pytest.raises(error, match=f"`layers` must.*{told}"):
        AttentionRecorder(Net(), layers)


def test_packed_latents_need_a_grid():
    """Of 16 positions with 4 channels the grid would be that of latents of 16 x 4, cut into patches."""

    class Packed(Net):
        def forward(self, sample, text):
            return self.last(sample + self.attn(sample, text))

    model, sample, text = Packed(), torch.randn(2, 16, 4), torch.randn(2, 7, 6)
    with pytest.raises(AttentionError, match=r"`grid` must be given for a `sample` of shape \(2, 16, 4\): packed latents"):
        guidance_of(model)(sample, text)
    source = AttentionRecorder(model, ONE.layers, grid=lambda _sample, _kwargs: (2, 8))
    report = Guidance(model, source, Scene.of([("a", "left of", "b")]), [[1], [4]], ONE)(sample, text).report
    assert report.maps[0].shape[-2:] == (2, 8)


def test_torch_s_own_module_of_attention_is_named_for_what_it_is():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.attn = nn.MultiheadAttention(4, 2, kdim=6, vdim=6, batch_first=True)

        def forward(self, sample, text):
            return self.attn(sample.flatten(2).mT, text, text, need_weights=False)[0]

    with pytest.raises(AttentionError, match=r"no attention was seen in attn: `torch.nn.MultiheadAttention` attends inside a function"):
        guidance_of(Whole())(torch.randn(2, 4, 3, 5), torch.randn(2, 7, 6))
