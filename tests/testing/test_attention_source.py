"""The kit on sources that are right, and on sources with one fault each, whose message must name the fault."""

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infsplign.adapters import AttentionRecorder
from infsplign.core.attention import AttentionMap, QueryKeyAttention
from infsplign.errors import AttentionError
from infsplign.testing import check_attention_source

WIDTH, T = 16, 7
LAYERS = {"coarse": ("attention.0",), "middle": ("attention.1",)}


def heads(x):
    return x.unflatten(-1, (2, -1)).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, fused):
        super().__init__()
        self.fused = fused
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, queries, keys):
        q, k, v = heads(self.query(queries)), heads(self.key(keys)), heads(self.value(keys))
        out = F.scaled_dot_product_attention(q, k, v) if self.fused else (q @ k.mT * 8**-0.5).softmax(-1) @ v
        return out.transpose(1, 2).flatten(2)


class Transformer(nn.Module):
    """Two blocks of joint attention over `[image; text]`, or of cross-attention from image to text; patches of 2 x 2."""

    def __init__(self, *, joint, fused):
        super().__init__()
        self.joint = joint
        self.text, self.patches = nn.Linear(8, WIDTH), nn.Conv2d(4, WIDTH, 2, 2)
        self.attention = nn.ModuleList(Attention(fused) for _ in range(2))
        self.mlp = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
        self.out = nn.ConvTranspose2d(WIDTH, 4, 2, 2)
        self.never_run = nn.Linear(1, 1)

    def forward(self, sample, timestep, encoder_hidden_states):
        grid = self.patches(sample)
        image = grid.flatten(2).transpose(1, 2) + timestep[:, None, None]
        text = self.text(encoder_hidden_states)
        for attention, mlp in zip(self.attention, self.mlp, strict=True):
            x = torch.cat([image, text], 1) if self.joint else image
            x = x + attention(x, x if self.joint else text)
            x = x + mlp(x).tanh()
            image, text = (x[:, :-T], x[:, -T:]) if self.joint else (x, text)
        return (self.out(image.transpose(1, 2).unflatten(2, grid.shape[2:])),)


def inputs(rows, size):
    return torch.randn(rows, 4, *size), {"timestep": torch.rand(rows), "encoder_hidden_states": torch.randn(rows, T, 8)}


def grid(sample, _kwargs):
    return sample.shape[-2] // 2, sample.shape[-1] // 2


def joint(denoiser):
    return AttentionRecorder(denoiser, LAYERS, text="last", grid=grid)


def cross(denoiser):
    return AttentionRecorder(denoiser, LAYERS)


class ByHand:
    """Joint attention from what the projections return, whatever happens to it afterwards."""

    def __init__(self, denoiser, *, queries=slice(0, -T)):
        self.denoiser, self.queries = denoiser, queries

    @contextmanager
    def record(self, sample, *_args, **kwargs):
        seen, result = [], []
        with ExitStack() as stack:
            for attention in self.denoiser.attention:
                for part in (attention.query, attention.key):
                    stack.enter_context(part.register_forward_hook(lambda _module, _args, output: seen.append(heads(output))))
            yield result
        if len(seen) != 4:
            raise AttentionError("no pass")
        for level, name, q, k in zip(("coarse", "middle"), ("attention.0", "attention.1"), seen[::2], seen[1::2], strict=True):
            text = (k.shape[2] - T, k.shape[2])
            result.append(QueryKeyAttention(q[:, :, self.queries], k, 8**-0.5, text, grid(sample, kwargs), name, level))


def check(make_source, *, model=joint, fused=True, **options):
    torch.manual_seed(0)
    denoiser = Transformer(joint=model is joint, fused=fused).eval()
    check_attention_source(make_source, denoiser, inputs, **options)


def altered(alter, model=joint):
    """The right source, but for what `alter` makes of each layer's attention."""

    class Altered:
        def __init__(self, denoiser):
            self.source = model(denoiser)

        @contextmanager
        def record(self, sample, *args, **kwargs):
            result = []
            with self.source.record(sample, *args, **kwargs) as attention:
                yield result
            result.extend(alter(layer) for layer in attention)

    return Altered


def as_map(change=lambda p: p):
    """Probabilities cut to the text and changed, as an `AttentionMap`."""
    return lambda a: AttentionMap(change(a.probabilities()[..., slice(*a.text)]), a.grid, a.layer, a.level)


def by_columns(a):
    height, width = a.grid
    return replace(a, query=a.query.unflatten(2, (height, width)).transpose(2, 3).flatten(2, 3))


class SummedOverText(QueryKeyAttention):
    def probabilities(self):
        whole = super().probabilities()
        return whole / whole[..., slice(*self.text)].sum(-1, keepdim=True)


def summed_over_text(a):
    return SummedOverText(**{field.name: getattr(a, field.name) for field in fields(QueryKeyAttention)})


def keys_cut(a):
    return replace(a, key=a.key[:, :, slice(*a.text)], text=(0, T))


def gradient_of_all_rows(p):
    mean = p.mean(0, keepdim=True)
    return p + (mean - mean.detach())


def softmax_in_own_precision(a):
    """Overflows float16, whose largest number is 65504."""
    weights = (12 + a.scale * a.query @ a.key.transpose(-2, -1)).exp()
    return AttentionMap((weights / weights.sum(-1, keepdim=True))[..., slice(*a.text)], a.grid, a.layer, a.level)


def detached_in_half(a):
    return a if a.query.dtype == torch.float32 else replace(a, query=a.query.detach(), key=a.key.detach(), lse=None)


def gradient_lost_in_half(a):
    """Right values, but what flows back is smaller than the smallest number of float16."""
    shadow = 1e-12 * a.probabilities().to(a.query.dtype)
    return as_map(lambda p: p.detach() + (shadow - shadow.detach())[..., slice(*a.text)])(a)


def gradient_not_finite(a):
    return replace(a, query=a.query + (a.query - a.query.detach()).abs().sqrt())


@pytest.mark.parametrize("model", [joint, cross])
def test_a_right_source_passes(model):
    check(model, model=model)
    check(altered(as_map(), model), model=model)


def test_a_right_source_of_a_denoiser_without_fused_attention_passes():
    check(ByHand, fused=False)
    check(altered(as_map(), ByHand), fused=False)


NOT_PLAIN = "the maps are not the attention that the module computes.*its queries, keys, scale and mask, in its order"
DETACHED = "the gradient of the maps differs from central differences by [0-9]+%; is a part of the graph"

LAYER_FAULTS = {
    "text one to the left": (lambda a: replace(a, text=(a.text[0] - 1, a.text[1] - 1)), "where does the text begin"),
    "text one shorter": (lambda a: replace(a, text=(a.text[0] + 1, a.text[1])), "as long as encoder_hidden_states"),
    "columns rolled": (as_map(lambda p: p.roll(1, -1)), "where does the text begin"),
    "softmax over the text": (summed_over_text, "sum to 1 over ALL keys.*before you cut out the text"),
    "keys cut before the softmax": (keys_cut, "sum to 1 over ALL keys.*before you cut out the text"),
    "map of the text alone": (as_map(lambda p: p / p.sum(-1, keepdim=True)), "over the text alone.*before you cut out the text"),
    "logarithms": (as_map(torch.log), "over the text alone|must lie in"),
    "detached": (as_map(torch.detach), "no gradient to the sample; detached"),
    "mean of the batch": (as_map(lambda p: p.mean(0, keepdim=True).expand_as(p)), "rows and heads mixed up"),
    "rows turned": (as_map(lambda p: p.roll(1, 0)), "rows and heads mixed up"),
    "gradient of other rows": (as_map(gradient_of_all_rows), "reaches other rows"),
    "columns first": (by_columns, "row by row"),
    "upside down": (lambda a: replace(a, query=a.query.flip(2)), "row by row"),
    "overflow in half": (softmax_in_own_precision, "float16 are not finite; take the softmax in float32"),
    "detached in half": (detached_in_half, "in torch.bfloat16 have no gradient"),
    "gradient lost in half": (gradient_lost_in_half, "no gradient reaches the sample in torch.float16"),
    "without the scale": (lambda a: replace(a, scale=1.0, lse=None), NOT_PLAIN),
    "heads mixed up": (lambda a: replace(a, key=a.key.flip(1), lse=None), NOT_PLAIN),
    "one head": (lambda a: replace(a, query=a.query[:, :1], key=a.key[:, :1], lse=None), NOT_PLAIN),
    "keys for queries": (lambda a: replace(a, query=a.key[:, :, :-T], lse=None), NOT_PLAIN),
    "a row of the picture off": (lambda a: replace(a, query=a.query.roll(a.grid[1], 2), lse=None), NOT_PLAIN),
    "a cell off": (lambda a: replace(a, query=a.query.roll(1, 2), lse=None), NOT_PLAIN),
    "no softmax": (as_map(lambda p: p.log().sigmoid()), NOT_PLAIN),
    "queries detached": (lambda a: replace(a, query=a.query.detach(), lse=None), DETACHED),
    "keys detached": (lambda a: replace(a, key=a.key.detach(), lse=None), DETACHED),
    "a tenth of the gradient": (as_map(lambda p: p.detach() + 0.1 * (p - p.detach())), DETACHED),
    "the gradient's sign": (as_map(lambda p: 2 * p.detach() - p), DETACHED),
    "gradient not finite": (gradient_not_finite, "gradient in torch.float32 is not finite"),
}


@pytest.mark.parametrize("fault", LAYER_FAULTS)
def test_a_fault_of_what_is_recorded_is_named(fault):
    alter, message = LAYER_FAULTS[fault]
    with pytest.raises(AssertionError, match=message):
        check(altered(alter))


@pytest.mark.parametrize("fault", LAYER_FAULTS)
def test_a_fault_of_a_later_layer_alone_is_named(fault):
    """As in models whose single blocks have the text elsewhere than their double blocks."""
    alter, message = LAYER_FAULTS[fault]
    with pytest.raises(AssertionError, match=message) as error:
        check(altered(lambda a: alter(a) if a.layer == "attention.1" else a))
    assert str(error.value).startswith("`attention.1`")


def test_maps_that_are_changed_on_purpose_pass_where_this_is_said():
    check(altered(as_map(lambda p: p[:, :1])), plain=False)


def test_a_grid_with_fewer_cells_than_queries_is_not_compared():
    """As where the frames of a video are averaged, or cells are pooled."""

    def pooled(a):
        p = a.probabilities()[..., slice(*a.text)].unflatten(2, a.grid)  # (B, N, H, W, T)
        halves = p.unflatten(3, (-1, 2)).mean(4).unflatten(2, (-1, 2)).mean(3)
        return AttentionMap(halves.flatten(2, 3), tuple(halves.shape[2:4]), a.layer, a.level)

    check(altered(pooled))


def test_the_wrong_end_of_the_keys_is_named():
    with pytest.raises(AssertionError, match="where does the text begin"):
        check(lambda denoiser: AttentionRecorder(denoiser, LAYERS, text="first", grid=grid))


def test_queries_of_the_text_in_the_map_are_named():
    check(ByHand)
    with pytest.raises(AssertionError, match="hardly depends on the image.*are these its queries"):
        check(partial(ByHand, queries=slice(T, None)))


def test_a_grid_that_is_turned_is_named():
    with pytest.raises(AssertionError, match="12 x 8 for an image of 16 x 24; turned, or is a square assumed"):
        check(lambda denoiser: AttentionRecorder(denoiser, LAYERS, text="last", grid=lambda *given: grid(*given)[::-1]))


@pytest.mark.parametrize("size", [(16, 16), (16, 24), (24, 16)])
def test_reading_by_columns_is_found_at_every_size(size):
    with pytest.raises(AssertionError, match="row by row"):
        check(altered(by_columns), sizes=[size])


class Hooked:
    """Gives the right maps, and has a hook of its own that changes nothing."""

    def __init__(self, denoiser):
        self.denoiser, self.source = denoiser, joint(denoiser)

    @contextmanager
    def record(self, sample, *args, **kwargs):
        handle = self.hook(self.denoiser.attention[0])
        with self.source.record(sample, *args, **kwargs) as attention:
            yield attention
        handle.remove()

    def hook(self, module):
        return module.register_forward_hook(lambda *_: None)


class NeverRemoved(Hooked):
    def hook(self, module):
        super().hook(module)
        return super().hook(module)


class LeftByTheConstructor(Hooked):
    """Once for each denoiser, so that no pass differs from the one before."""

    def __init__(self, denoiser):
        super().__init__(denoiser)
        if not denoiser.out._forward_hooks:
            self.hook(denoiser.out)


class RemovedByItself(Hooked):
    """Its hook comes off when it has run, which an exception before it prevents."""

    def hook(self, module):
        handle = module.register_forward_hook(lambda *_: handle.remove())
        return handle


class Flag(Hooked):
    def hook(self, module):
        module.watched = True
        return super().hook(module)


class ChangesTheOutput(Hooked):
    def hook(self, module):
        return module.register_forward_hook(lambda _module, _args, output: 1.001 * output)


class ChangesTheOutputWithGradients(Hooked):
    def hook(self, module):
        return module.register_forward_hook(lambda _module, _args, output: 1.001 * output if torch.is_grad_enabled() else None)


class PatchesTheFunction(Hooked):
    """For all modules of the program, and not put back after an exception."""

    owner, name = F, "gelu"

    @contextmanager
    def record(self, sample, *args, **kwargs):
        whole = getattr(self.owner, self.name)
        setattr(self.owner, self.name, lambda *given, **options: whole(*given, **options))
        with self.source.record(sample, *args, **kwargs) as attention:
            yield attention
        setattr(self.owner, self.name, whole)


class PatchesTheClass(PatchesTheFunction):
    owner, name = Attention, "forward"


class LeavesGradientOff(Hooked):
    @contextmanager
    def record(self, sample, *args, **kwargs):
        with self.source.record(sample, *args, **kwargs) as attention:
            yield attention
        torch.set_grad_enabled(False)


class Swallows(Hooked):
    @contextmanager
    def record(self, sample, *args, **kwargs):
        with suppress(Exception), self.source.record(sample, *args, **kwargs) as attention:
            yield attention


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (NeverRemoved, "left behind after a pass: .*attention.0._forward_hooks"),
        (LeftByTheConstructor, "left behind after a pass: .*out._forward_hooks"),
        (Flag, "left behind after a pass: .*attention.0.watched"),
        (Hooked, "left behind after an exception: .*attention.0._forward_hooks"),
        (RemovedByItself, "left behind after an exception: .*attention.0._forward_hooks"),
        (LeavesGradientOff, "left behind after a pass: gradients are off"),
        (ChangesTheOutput, "changed the denoiser's output"),
        (ChangesTheOutputWithGradients, "changed the denoiser's output"),
        (PatchesTheFunction, "left behind after an exception: .*torch.nn.functional.gelu"),
        (PatchesTheClass, "left behind after an exception: .*test_attention_source.Attention.forward"),
        (Swallows, "swallowed an exception"),
    ],
)
def test_a_source_that_does_not_leave_the_denoiser_as_it_was_is_named(source, message, monkeypatch):
    monkeypatch.setattr(F, "gelu", F.gelu)  # put back afterwards
    monkeypatch.setattr(Attention, "forward", Attention.forward)
    with torch.enable_grad(), pytest.raises(AssertionError, match=message):
        check(source)


def nothing(_passes):
    raise AttentionError("no pass")


def remembering(with_a_pass, without=nothing):
    """A source that answers from all passes that it has seen."""

    class Remembering:
        def __init__(self, denoiser):
            self.source, self.passes = joint(denoiser), []

        @contextmanager
        def record(self, sample, *args, **kwargs):
            result = []
            try:
                with self.source.record(sample, *args, **kwargs) as attention:
                    yield result
            except AttentionError:
                result.extend(without(self.passes))
            else:
                self.passes.append(attention)
                result.extend(with_a_pass(self.passes))

    return Remembering


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (remembering(lambda _: []), "recorded no layer"),
        (remembering(lambda passes: passes[-1], without=lambda _: []), "no pass has been run.*returns 0 layers"),
        (remembering(lambda passes: passes[-1], without=lambda passes: passes[-1]), "no pass has been run.*returns 2 layers"),
        (remembering(lambda passes: passes[0]), "keep maps of old passes"),
        (remembering(lambda passes: sum(passes, [])), "keep maps of old passes"),  # noqa: RUF017
    ],
    ids=["none", "empty without a pass", "stale without a pass", "stale", "accumulated"],
)
def test_maps_that_are_not_of_this_pass_are_named(source, message):
    check(remembering(lambda passes: passes[-1]))
    with pytest.raises(AssertionError, match=message):
        check(source)


def test_text_must_name_an_argument():
    with pytest.raises(AssertionError, match="got 'prompt_embeds' and timestep, encoder_hidden_states"):
        check(joint, text="prompt_embeds")
