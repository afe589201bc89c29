"""The engine without a pipeline: in samplers of one's own, with sources of one's own."""

import warnings
from contextlib import contextmanager

import pytest
import torch
from torch.utils.checkpoint import CheckpointError, checkpoint

from infsplign import RECOMMENDED, Guidance, GuidanceConfig, Scene, guide
from infsplign.adapters import FAMILIES, AttentionRecorder, sd
from infsplign.core.attention import AttentionMap
from infsplign.core.losses import LossTerm
from tests import tiny

SCENE = Scene.of([("circle", "left of", "square")])
PROMPT = "a circle to the left of a square"


class Linear(torch.nn.Module):
    """A denoiser in one line: its "attention" is a softmax over three tokens of a projection of each pixel."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.project = torch.nn.Linear(2, 3)

    def forward(self, sample):
        self.probabilities = self.project(sample.flatten(2).transpose(1, 2)).softmax(-1)[:, None]
        return 2 * sample


class Source:
    """An attention source for it."""

    def __init__(self, model):
        self.model = model

    @contextmanager
    def record(self, sample):
        maps = []
        yield maps
        grid = tuple(sample.shape[-2:])
        maps.extend(AttentionMap(self.model.probabilities, grid, level, level) for level in ("coarse", "middle"))


def test_half_numbers_are_guided_step_after_step_under_inference_mode():
    """The factor of the loss that one step leaves takes part in the gradient of the next."""
    model = Linear().half()
    guidance = Guidance(model, Source(model), SCENE, [[0], [1]])
    x = torch.randn(2, 2, 6, 5)
    with torch.inference_mode():
        found = [guidance(x.half()).gradient for _ in range(3)]
    assert torch.equal(found[0], found[2])
    wanted = Guidance(Linear(), Source(model), SCENE, [[0], [1]])
    wanted.source.model = wanted.denoiser
    torch.testing.assert_close(found[0], wanted(x.half().float()).gradient, rtol=0.05, atol=1e-4)


@pytest.mark.parametrize("how", ["autocast", "cast"])
def test_float16_inside_a_denoiser_of_float32_loses_no_small_gradient(how):
    model, x = Linear(), torch.randn(2, 2, 6, 5)
    config = GuidanceConfig(spatial=1e-5, presence=0.0, balance=0.0)  # on larger maps gradients are as small
    wanted = Guidance(model, Source(model), SCENE, [[0], [1]], config)(x).gradient
    half = Linear().half() if how == "cast" else Linear()
    denoiser = half if how == "autocast" else lambda sample: half(sample.half())
    with torch.autocast("cpu", dtype=torch.float16, enabled=how == "autocast"):
        found = Guidance(denoiser, Source(half), SCENE, [[0], [1]], config)(x).gradient
    assert found.dtype == torch.float32
    assert (found - wanted).norm() < 0.02 * wanted.norm()


def test_a_denoiser_that_is_not_from_diffusers_moves_the_asked_way():
    model = Linear()
    guidance = Guidance(model, Source(model), SCENE, [[0], [1]])
    x = torch.randn(1, 2, 6, 5)
    before = after = None
    for _ in range(60):
        output, gradient, report = guidance(x)
        before = report.centroid if before is None else before
        after = report.centroid
        assert torch.equal(output, 2 * x)
        x = x - 30.0 * gradient  # against the gradient of the loss
    assert after[0, 1, 0] - after[0, 0, 0] > before[0, 1, 0] - before[0, 0, 0] + 0.05
    assert not x.requires_grad
    assert report.total.requires_grad is False


def test_the_engine_in_a_loop_equals_the_pipeline():
    pipe, config = tiny.sd(), GuidanceConfig(scale=2000.0, plan="split")
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with guide(pipe, PROMPT, config=config) as piped:
        expected = pipe(PROMPT, latents=noise, num_inference_steps=4, output_type="latent").images
    engine = Guidance(pipe.unet, FAMILIES["sd"], SCENE, piped.token_indices, config)
    embeds, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True)
    pipe.scheduler.set_timesteps(4)
    latents = noise
    for t in pipe.scheduler.timesteps:
        output, gradient, _ = engine(latents, t, encoder_hidden_states=embeds)
        with torch.no_grad():
            uncond = pipe.unet(latents, t, encoder_hidden_states=negative).sample
        noise_pred = uncond + 7.5 * (output.sample - uncond) + config.scale * gradient
        latents = pipe.scheduler.step(noise_pred, t, latents).prev_sample
    assert torch.allclose(latents, expected, atol=1e-5)


def test_gradient_is_that_of_finite_differences():
    model = Linear().double()
    guidance = Guidance(model, Source(model), SCENE, [[0], [1, 2]])
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64)
    _, gradient, _ = guidance(x)
    for index in [(0, 0, 0, 0), (0, 1, 2, 3), (1, 0, 1, 1)]:
        step = torch.zeros_like(x)
        step[index] = 1e-6
        difference = (guidance(x + step).report.total.sum() - guidance(x - step).report.total.sum()) / 2e-6
        assert gradient[index].item() == pytest.approx(difference.item(), rel=1e-5, abs=1e-10)


def test_weights_are_frozen_for_the_moment_and_flags_come_back():
    model = Linear()
    model.project.bias.requires_grad_(False)
    seen = []
    model.register_forward_hook(lambda m, _a, _o: seen.append([p.requires_grad for p in m.parameters()]))
    Guidance(model, Source(model), SCENE, [[0], [1]])(torch.randn(1, 2, 4, 4))
    assert seen == [[False, False]]
    assert [p.requires_grad for p in model.parameters()] == [True, False]
    assert all(p.grad is None for p in model.parameters())


def test_a_denoiser_without_gradient_inside_is_refused():
    model = Linear()
    source = Source(model)
    with pytest.raises(ValueError, match="without a gradient"):
        Guidance(torch.no_grad()(model.forward), source, SCENE, [[0], [1]])(torch.randn(1, 2, 4, 4))


@pytest.mark.parametrize("indices", [[[0]], [[[0], [1]], [[0], [1]]], [[0], [1], [2]]])
def test_token_indices_that_do_not_fit_the_scene_are_refused(indices):
    model = Linear()
    with pytest.raises(ValueError, match="token_indices"):
        Guidance(model, Source(model), SCENE, indices)


@pytest.mark.parametrize("indices", [torch.tensor([[0], [1]]), [torch.tensor([0]), torch.tensor([1])], torch.tensor([[[0], [1]]])])
def test_token_indices_may_be_tensors(indices):
    model = Linear()
    assert Guidance(model, Source(model), SCENE, indices).token_indices == [((0,), (1,))]


def test_an_index_beyond_the_text_axis_is_refused():
    model = Linear()
    with pytest.raises(ValueError, match="< 3, got 3.*truncated"):
        Guidance(model, Source(model), SCENE, [[0], [3]])(torch.randn(1, 2, 4, 4))


def test_the_layers_are_those_of_the_options_or_else_of_the_family():
    pipe = tiny.sd()
    family = FAMILIES["sd"]
    assert Guidance(pipe.unet, family, SCENE, [[2], [8]]).source.layers == family.source(pipe.unet).layers
    own = {"coarse": ("down_blocks.1.attentions.0.transformer_blocks.0.attn2",)}
    guidance = Guidance(pipe.unet, family, SCENE, [[2], [8]], GuidanceConfig(layers=own, balance=0.0))
    assert [(level, name) for level, name, _ in guidance.source.layers] == [("coarse", *own["coarse"])]


def test_case_5_a_source_of_other_layers_than_the_options_name_is_refused():
    pipe = tiny.sd()
    own = {"coarse": ("down_blocks.1.attentions.0.transformer_blocks.0.attn2",)}
    source = AttentionRecorder(pipe.unet, sd.layers(pipe.unet))
    with pytest.raises(ValueError, match="`source` must record the layers that `config.layers` names.*down_blocks.1.*got.*up_blocks.1"):
        Guidance(pipe.unet, source, SCENE, [[2], [8]], GuidanceConfig(layers=own, balance=0.0))
    model = Linear()  # a source that tells its layers only when it has recorded them
    guidance = Guidance(model, Source(model), SCENE, [[0], [1]], GuidanceConfig(layers=own, balance=0.0))
    with pytest.raises(ValueError, match="`source` must record the layers"):
        guidance(torch.randn(1, 2, 4, 4))


def test_case_6_a_term_that_reads_no_recorded_layer_is_an_error_that_names_it():
    pipe = tiny.sd()
    source = AttentionRecorder(pipe.unet, {"coarse": sd.layers(pipe.unet)["coarse"]})
    with pytest.raises(ValueError, match="loss term 'balance' reads layers of level middle.*only coarse"):
        Guidance(pipe.unet, source, SCENE, [[2], [8]], GuidanceConfig())
    Guidance(pipe.unet, source, SCENE, [[2], [8]], GuidanceConfig(balance=0.0))

    class Coarse(Source):
        @contextmanager
        def record(self, sample):
            maps = []
            yield maps
            maps.append(AttentionMap(self.model.probabilities, tuple(sample.shape[-2:])))

    model = Linear()
    guidance = Guidance(model, Coarse(model), SCENE, [[0], [1]], GuidanceConfig())
    with pytest.raises(ValueError, match="loss term 'balance'"):
        guidance(torch.randn(1, 2, 4, 4))


@pytest.mark.parametrize("source", [None, "up_blocks.1", {"coarse": ("up_blocks.1",)}])
def test_something_else_than_a_source_is_refused(source):
    with pytest.raises(TypeError, match="`source` must be a family"):
        Guidance(Linear(), source, SCENE, [[0], [1]])


def test_case_27_options_that_are_a_dictionary_are_refused_with_what_to_write():
    with pytest.raises(TypeError, match=r"`config` must be a GuidanceConfig or None, got dict.*write GuidanceConfig\(scale=500\)"):
        Guidance(Linear(), Source(Linear()), SCENE, [[0], [1]], {"scale": 500})


def test_before_the_first_gradient_nothing_is_known_and_nothing_is_zero():
    guidance = Guidance(Linear(), Source(Linear()), SCENE, [[0], [1]])
    assert guidance.zero.tolist() == [False]
    assert guidance.held is None
    assert guidance.passes.total == 0


@pytest.mark.parametrize("indices", [[[1], [1]], [[0, 1], [1, 0]], [(2, 2), (2,)]])
def test_related_objects_of_the_same_tokens_are_refused(indices):
    """Their maps are the same map, and the spatial term has no gradient."""
    model = Linear()
    with pytest.raises(ValueError, match="`token_indices` must differ for 'circle' and 'square', which stand in a relation, got"):
        Guidance(model, Source(model), SCENE, indices)
    with pytest.raises(ValueError, match="`token_indices` must differ for 'circle' and 'square'"):
        guide(tiny.sd(), PROMPT, token_indices=indices)
    Guidance(model, Source(model), Scene(("cat", "pet")), indices)  # no relation asks that they are apart


@pytest.mark.parametrize(
    "term",
    [
        lambda objects, scene: (objects.maps > 0.4).float().mean((1, 2, 3)),
        lambda objects, scene: objects.maps.detach().mean((1, 2, 3)),
        lambda objects, scene: torch.full((len(objects.maps),), float(objects.mass.sum())),
    ],
)
def test_a_term_without_a_gradient_is_told_once_beside_others_that_have_one(term):
    model, x = Linear(), torch.randn(2, 2, 4, 4)
    config = RECOMMENDED.with_(terms=(*RECOMMENDED.terms, LossTerm("mine", term)))
    guidance = Guidance(model, Source(model), SCENE, [[0], [1]], config)
    with pytest.warns(UserWarning, match="loss term 'mine' has no gradient to the maps, so it guides nothing"):
        guidance(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        guidance(x)
        Guidance(model, Source(model), Scene(("a", "b")), [[0], [1]], RECOMMENDED)(x)  # nor those of the package without a relation


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_the_loss_has_the_precision_of_the_core(dtype):
    """Its matrix products would else be taken in half precision: gaps of a hundredth would be off by a third."""
    model, x = Linear(), torch.randn(2, 2, 6, 5)
    guidance = Guidance(model, Source(model), SCENE, [[0], [1]], RECOMMENDED.with_(spatial=100.0))
    with torch.autocast("cpu", dtype):
        guided, watched = guidance(x), guidance.watch(x, (), {})
    with guidance.source.record(x) as attention, torch.autocast("cpu", dtype):
        model(x)
    expected = guidance.measure(attention, 2)
    assert torch.equal(guided.report.total, expected.total)
    assert torch.equal(watched.report.total, expected.total)


class Separate(torch.nn.Module):
    """A denoiser whose blocks are attributes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(2, 2), Linear()

    def forward(self, sample):
        return self.second(self.first(sample.movedim(1, -1)).movedim(-1, 1))


def test_checkpointing_a_denoiser_without_blocks_is_refused():
    """Nothing would be recomputed, and the trace would say that it was."""
    model = Separate()
    config = RECOMMENDED.with_(plan="checkpoint")
    with pytest.raises(ValueError, match='`plan` "checkpoint" finds no blocks in Separate.*`torch.nn.ModuleList`.*use "split"'):
        Guidance(model, Source(model.second), SCENE, [[0], [1]], config)
    model.blocks = torch.nn.ModuleList([model.second])
    Guidance(model, Source(model.second), SCENE, [[0], [1]], config)


def test_a_layer_without_a_gradient_is_told_once_beside_others_that_have_one():
    model, x = Linear(), torch.randn(2, 2, 4, 4)
    source = Source(model)
    record = source.record

    @contextmanager
    def one_detached(sample):
        with record(sample) as maps:
            yield maps
        maps[1] = AttentionMap(maps[1].probabilities.detach(), maps[1].grid, "blocks.3", maps[1].level)

    source.record = one_detached
    guidance = Guidance(model, source, SCENE, [[0], [1]], RECOMMENDED)
    with pytest.warns(UserWarning, match="the attention of 'blocks.3' has no gradient to `sample`, so it guides nothing"):
        guidance(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        guidance(x)


def test_a_denoiser_that_checkpoints_its_blocks_by_itself_is_told_what_to_do():
    unet = tiny.sd().unet
    first = unet.up_blocks[1]
    run = first.forward
    first.forward = lambda *args, **kwargs: checkpoint(run, *args, use_reentrant=False, **kwargs)
    guidance = Guidance(unet, FAMILIES["sd"], SCENE, [[2], [8]])
    with pytest.raises(CheckpointError) as error:
        guidance(torch.randn(1, 4, 16, 16), torch.tensor(500), encoder_hidden_states=torch.randn(1, 77, 32))
    assert any("runs blocks by `torch.utils.checkpoint` itself" in note for note in error.value.__notes__)


def test_a_denoiser_that_doubles_its_batch_inside_is_refused():
    """The negative prompt's attention, at the positions of the prompt's tokens, would guide too."""
    model = Linear()

    def doubled(sample):
        one, other = model(torch.cat([sample, sample])).chunk(2)
        return one + 5 * (other - one)

    with pytest.raises(ValueError, match="must record the 1 conditional rows of the pass, got attention of 2"):
        Guidance(doubled, Source(model), SCENE, [[0], [1]])(torch.randn(1, 2, 6, 5))
