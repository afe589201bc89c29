"""`watch`: looks at all layers, changes no image, and keeps no whole maps."""

import pytest
import torch

import infsplign
from infsplign.adapters import backbone_for
from infsplign.calibration.layers import text_layers
from infsplign.core.statistics import centroid
from infsplign.pipelines.watching import watch
from tests import tiny, tiny_transformers

PROMPTS = ["a cat to the left of a dog", "a star above a moon"]
MAKERS = {"sd": tiny.sd, "sdxl": tiny.sdxl} | tiny_transformers.MAKERS


def sample(pipe, prompts, **options):
    generators = [torch.Generator().manual_seed(number) for number in range(len(prompts))]
    return pipe(list(prompts), num_inference_steps=4, generator=generators, output_type="latent", **options).images


@pytest.fixture(scope="module")
def pipe():
    return tiny.sd()


@pytest.fixture(scope="module")
def layers(pipe):
    return text_layers(pipe, backbone_for(pipe))


def test_unguided_images_are_those_of_the_stock_pipeline(pipe, layers):
    stock = sample(pipe, PROMPTS)
    with watch(pipe, PROMPTS, layers) as watching:
        watched = sample(pipe, PROMPTS)
    assert torch.equal(stock, watched)
    assert "forward" not in vars(pipe.unet)
    assert len(watching.looks) == 4
    assert [round(look.progress, 2) for look in watching.looks] == [0.0, 0.25, 0.5, 0.75]
    assert sorted(layer.layer for layer in watching.looks[0].layers) == sorted(layers)
    assert watching.passes.guided == 0


def test_looks_have_the_numbers_of_guidances_own_maps(pipe):
    config = infsplign.RECOMMENDED.with_(stop=1.0, scale=1e-12)
    with infsplign.guide(pipe, PROMPTS, config=config, keep_maps=True) as guidance:
        sample(pipe, PROMPTS)
    names = [name for _, name, _ in guidance.source.layers]
    with watch(pipe, PROMPTS, names) as watching:
        sample(pipe, PROMPTS)
    for step, look in zip(guidance.trace, watching.looks, strict=True):
        for maps, layer in zip(step.maps, look.layers, strict=True):
            torch.testing.assert_close(layer.centroid, centroid(maps), atol=1e-4, rtol=0)
            torch.testing.assert_close(layer.mass, maps.mean((-2, -1)), atol=1e-5, rtol=0)
            assert layer.grid == tuple(maps.shape[-2:])


def test_guided_steps_are_guided_and_the_last_ones_looked_at(pipe, layers):
    config = infsplign.RECOMMENDED.with_(max_shift=0.3)
    with infsplign.guide(pipe, PROMPTS, config=config):
        guided = sample(pipe, PROMPTS)
    with watch(pipe, PROMPTS, layers, config=config, first=0.7) as watching:
        watched = sample(pipe, PROMPTS)
    torch.testing.assert_close(watched, guided)
    assert [step.guided for step in watching.trace] == [True, True, False, False]
    assert [look.progress for look in watching.looks] == [0.75]
    with watch(pipe, PROMPTS, layers, config=config.with_(stop=1.0), first=0.99) as watching:
        sample(pipe, PROMPTS)
    assert [step.guided for step in watching.trace] == [True, True, True, False]


@pytest.mark.parametrize("name", ["pixart", "sd3", "flux"])
def test_transformers(name):
    pipe = MAKERS[name]()
    layers = text_layers(pipe, backbone_for(pipe))
    prompt = "a cat to the left of a dog"
    with watch(pipe, [prompt], layers) as watching:
        tiny_transformers.run(name, pipe, prompt)
    assert {layer.layer for layer in watching.looks[0].layers} == set(layers)
    assert all(torch.isfinite(layer.centroid).all() for look in watching.looks for layer in look.layers)


def test_the_pipeline_is_restored_after_an_error(pipe, layers):
    with pytest.raises(RuntimeError, match="stop"):
        with watch(pipe, PROMPTS, layers):
            raise RuntimeError("stop")
    assert "forward" not in vars(pipe.unet)


def test_errors(pipe, layers):
    with pytest.raises(infsplign.AttentionError, match="no.such"):
        watch(pipe, PROMPTS, ["no.such"])
    with pytest.raises(infsplign.PromptError):
        watch(pipe, ["a cat"], layers)


@pytest.mark.parametrize(("prompts", "named"), [(PROMPTS[0], "prompts"), ([], "prompts"), (PROMPTS, "layers")])
def test_lists_are_no_texts(pipe, layers, prompts, named):
    with pytest.raises(TypeError, match=f"`{named}` must be a list of at least one"):
        watch(pipe, prompts, layers[0] if named == "layers" else layers)


@pytest.mark.parametrize("first", [-1, 2, "a", None, float("nan"), True])
def test_the_first_look_is_a_part_of_the_sampling(pipe, layers, first):
    with pytest.raises(ValueError, match="`first` must lie in"):
        watch(pipe, PROMPTS, layers, first=first)
