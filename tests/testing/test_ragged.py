"""Rows with texts of different length, and tokens that a model adds: what the kit says of sources that are wrong for them."""

from contextlib import contextmanager
from functools import partial

import pytest
import torch
from diffusers import AuraFlowTransformer2DModel, Lumina2Transformer2DModel
from torch import nn

from infsplign.adapters import AttentionRecorder
from infsplign.core.attention import AttentionMap
from infsplign.testing import check_attention_source
from infsplign.testing.ragged import found_masks
from infsplign.testing.trial import Trial
from tests.testing.test_attention_source import WIDTH, heads

T = 9
LAYERS = {"coarse": ("attention.0",), "middle": ("attention.1",)}


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x, mask=None):
        q, k, v = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        return nn.functional.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2)


class Joint(nn.Module):
    """Joint attention over `[added; text; image]` with a mask, or, `packed`, with each row's text cut and the image moved up."""

    def __init__(self, *, packed=False, added=0):
        super().__init__()
        self.packed = packed
        self.text, self.patches, self.out = nn.Linear(8, WIDTH), nn.Conv2d(4, WIDTH, 2, 2), nn.ConvTranspose2d(WIDTH, 4, 2, 2)
        self.added = nn.Parameter(torch.randn(added, WIDTH))
        self.attention = nn.ModuleList(Attention() for _ in range(2))

    def forward(self, sample, encoder_hidden_states, text_mask):
        grid = self.patches(sample)
        image, words = grid.flatten(2).transpose(1, 2), self.text(encoder_hidden_states)
        words = torch.cat((self.added.expand(len(sample), -1, -1), words), 1)
        read = torch.cat((text_mask.new_ones(len(sample), len(self.added)), text_mask), 1)
        x, keep = torch.cat((words, image), 1), torch.cat((read, read.new_ones(image.shape[:2])), 1).bool()
        if self.packed:  # the image begins where the row's text ends
            order = (~keep).long().argsort(dim=1, stable=True)
            x, keep = (y.gather(1, order[..., None].expand_as(y) if y.ndim == 3 else order) for y in (x, keep))
        for attention in self.attention:
            x = x + attention(x, keep[:, None, None]).tanh()
        starts = read.sum(1) if self.packed else torch.full((len(sample),), words.shape[1])
        image = torch.stack([row[start : start + image.shape[1]] for row, start in zip(x, starts.tolist(), strict=True)])
        return (self.out(image.transpose(1, 2).unflatten(2, grid.shape[2:])),)


def inputs(rows, size, *, mask=lambda *shape: torch.ones(shape, dtype=torch.bool)):
    return torch.randn(rows, 4, *size), {"encoder_hidden_states": torch.randn(rows, T, 8), "text_mask": mask(rows, T)}


def patches(sample, _kwargs):
    return sample.shape[-2] // 2, sample.shape[-1] // 2


def first(denoiser, **options):
    return AttentionRecorder(denoiser, LAYERS, text="first", grid=patches, **options)


def check(make_source, model, make=inputs, **options):
    torch.manual_seed(0)
    check_attention_source(make_source, model.eval(), make, sizes=((16, 16),), dtypes=(), **options)


@pytest.mark.parametrize(
    "mask",
    [
        lambda *shape: torch.ones(shape, dtype=torch.bool),
        lambda *shape: torch.ones(shape, dtype=torch.long),
        lambda *shape: torch.ones(shape),
    ],
    ids=["bool", "long", "float"],
)
def test_masked_joint_attention_passes(mask):
    check(first, Joint(), partial(inputs, mask=mask))


def test_case_7_packed_rows_are_named_with_what_to_do():
    with pytest.raises(
        AssertionError, match="row 1, whose text has 4 of 9 tokens.*places of its maps are those of masked tokens.*packs.*one prompt a call"
    ):
        check(first, Joint(packed=True))


def with_logits(logits):
    """The adapter `first` with other logits: a function of a layer's attention, the sample and the call's keywords."""

    class Changed:
        def __init__(self, denoiser):
            self.source = first(denoiser)

        @contextmanager
        def record(self, sample, **kwargs):
            result = []
            with self.source.record(sample, **kwargs) as attention:
                yield result
            for a in attention:
                result.append(AttentionMap(logits(a, sample, kwargs).softmax(-1)[..., slice(*a.text)], a.grid, a.layer, a.level))

    return Changed


def test_case_7_a_source_that_ignores_the_mask_is_named():
    def unmasked(a, sample, kwargs):
        return a.scale * a.query @ a.key.mT

    with pytest.raises(AssertionError, match="masked tokens take part in the softmax"):
        check(with_logits(unmasked), Joint())


def test_case_7_tokens_of_the_model_itself_are_named_and_left_out():
    with pytest.raises(AssertionError, match=r"12 columns for the 9 tokens.*column 3.*registers.*added=\(3, 0\)"):
        check(first, Joint(added=3))
    check(partial(first, added=(3, 0)), Joint(added=3))
    with pytest.raises(AssertionError, match="token 0 .* column 2 of the maps changed most, not 0 .tokens that the model adds"):
        check(partial(first, added=(1, 2)), Joint(added=3))


def test_masks_are_found_by_name_and_shape():
    def forward(sample, encoder_hidden_states, encoder_attention_mask=None): ...

    model = nn.Module()
    model.forward = forward
    text = {"encoder_hidden_states": torch.zeros(2, 5, 3)}
    assert found_masks(Trial(first, model, torch.zeros(2), text), ["encoder_hidden_states"]) == ["encoder_attention_mask"]
    given = text | {"mask_of_image": torch.ones(2, 7), "text_mask": torch.ones(2, 5)}
    assert found_masks(Trial(first, model, torch.zeros(2), given), ["encoder_hidden_states"]) == ["text_mask"]
    model.forward = lambda sample, encoder_hidden_states: None
    assert found_masks(Trial(first, model, torch.zeros(2), text), ["encoder_hidden_states"]) == []


def test_masks_must_be_given_by_their_names():
    with pytest.raises(
        AssertionError, match="`mask` must name keyword arguments of `inputs`, got 'mask' and encoder_hidden_states, text_mask"
    ):
        check(first, Joint(), mask="mask")
    check(first, Joint(packed=True), mask=())  # a pipeline that never masks


class OwnMask(Joint):
    def forward(self, sample, encoder_hidden_states, text_mask=None):
        if text_mask is not None and text_mask.dtype == torch.bool:
            raise TypeError("numbers, please")
        return super().forward(
            sample, encoder_hidden_states, torch.ones(encoder_hidden_states.shape[:2]) if text_mask is None else text_mask
        )


class OptionalMask(Joint):
    def forward(self, sample, encoder_hidden_states, text_mask=None):
        whole = torch.ones(encoder_hidden_states.shape[:2]) if text_mask is None else text_mask
        return super().forward(sample, encoder_hidden_states, whole)


def test_a_mask_that_is_turned_around_is_named():
    """A row has the same maps alone and beside others, and they do not depend on masked tokens: they are nearly 0."""

    def inverted(a, sample, kwargs):
        mask = torch.zeros(len(sample), 1, 1, a.key.shape[2])
        if "text_mask" in kwargs:
            mask[:, 0, 0, :T] = -1e4 * kwargs["text_mask"]
        return a.scale * a.query @ a.key.mT + mask

    def unmasked(rows, size):
        sample, kwargs = inputs(rows, size)
        return sample, {"encoder_hidden_states": kwargs["encoder_hidden_states"]}

    check(first, OptionalMask(), unmasked)
    with pytest.raises(AssertionError, match="the maps are not the attention that the module computes.*scale and mask"):
        check(with_logits(inverted), OptionalMask(), unmasked)


def test_a_mask_that_cannot_be_made_is_asked_for():
    def unmasked(rows, size):
        sample, kwargs = inputs(rows, size)
        return sample, {"encoder_hidden_states": kwargs["encoder_hidden_states"]}

    with pytest.raises(AssertionError, match="`inputs` must give `text_mask`.*TypeError: numbers, please.*mask=\\(\\)"):
        check(first, OwnMask(), unmasked)
    check(first, OwnMask(), unmasked, mask=())


# --- the real models ------------------------------------------------------------------------------------------------------


def lumina():
    return Lumina2Transformer2DModel(
        sample_size=16, in_channels=4, out_channels=4, hidden_size=24, num_layers=2, num_refiner_layers=1, num_attention_heads=3,
        num_kv_heads=1, multiple_of=2, axes_dim_rope=(4, 2, 2), axes_lens=(64, 64, 64), cap_feat_dim=8,
    )  # fmt: skip


def test_case_7_lumina_read_as_joint_attention_with_the_text_first():
    def lumina_inputs(rows, size):
        text = {"encoder_hidden_states": torch.randn(rows, T, 8), "encoder_attention_mask": torch.ones(rows, T, dtype=torch.bool)}
        return torch.randn(rows, 4, *size), {"timestep": torch.full((rows,), 0.5)} | text

    layers = {"coarse": ("layers.0.attn",), "middle": ("layers.1.attn",)}
    torch.manual_seed(0)
    model = lumina().eval()
    with pytest.raises(AssertionError, match="longer text runs beside it.*packs the text and the image"):
        source = partial(AttentionRecorder, layers=layers, text="first", grid=patches)
        check_attention_source(source, model, lumina_inputs, sizes=((16, 16),), dtypes=())


def test_case_7_aura_flow_and_its_registers():
    def aura_inputs(rows, size):
        return torch.randn(rows, 4, *size), {"timestep": torch.full((rows,), 0.5), "encoder_hidden_states": torch.randn(rows, T, 16)}

    torch.manual_seed(0)
    model = AuraFlowTransformer2DModel(
        sample_size=16, in_channels=4, out_channels=4, num_mmdit_layers=2, num_single_dit_layers=1, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=16, caption_projection_dim=16, pos_embed_max_size=256,
    ).eval()  # fmt: skip
    layers = {"coarse": ("joint_transformer_blocks.0.attn",), "middle": ("joint_transformer_blocks.1.attn",)}
    source = partial(AttentionRecorder, layers=layers, text="first", grid=patches)
    with pytest.raises(AssertionError, match=r"17 columns for the 9 tokens.*added=\(8, 0\)"):
        check_attention_source(source, model, aura_inputs, sizes=((16, 16),), dtypes=())
    check_attention_source(partial(source, added=(8, 0)), model, aura_inputs, sizes=((16, 16),), dtypes=())
