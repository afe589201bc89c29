"""The models that ship: small, offline, stock classes, and guided to where the prompt says."""

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors import safe_open
from transformers import CLIPTextModel, CLIPTokenizer

from infsplign import guide
from infsplign.evaluation.prompts_shapes import prompts, seed
from infsplign.evaluation.shapes_runner import inspect_image
from infsplign.shapes import load
from infsplign.shapes.defaults import CONFIG, GUIDANCE_SCALE
from infsplign.shapes.loading import MODELS
from infsplign.shapes.nouns import NAMES


@pytest.fixture(scope="module")
def pipe():
    pipe = load()
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_all_models_together_are_small_and_in_half_precision():
    files = [path for path in MODELS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 15e6
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) >= 3
    for path in weights:
        with safe_open(path, "pt") as file:
            assert {file.get_tensor(name).dtype for name in file.keys()} <= {torch.float16, torch.int64}  # noqa: SIM118


def test_it_is_a_stock_pipeline(pipe):
    assert type(pipe) is StableDiffusionPipeline
    parts = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel, "tokenizer": CLIPTokenizer}
    for name, kind in parts.items():
        assert type(getattr(pipe, name)) is kind


def test_an_unknown_model_is_refused_with_the_names_of_the_known():
    with pytest.raises(ValueError, match="shapes.*'sd9'"):
        load("sd9")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_loads_in_the_asked_precision(dtype):
    assert load(dtype=dtype).unet.dtype == dtype


def test_every_noun_is_one_token_a_word(pipe):
    for name in NAMES:
        assert len(pipe.tokenizer(name).input_ids) == 2 + len(name.split())


def test_scale_zero_gives_the_stock_pictures_bit_by_bit(pipe):
    def run():
        return pipe("a star above a fish", num_inference_steps=3, generator=torch.Generator().manual_seed(0), output_type="np").images

    plain = run()
    with guide(pipe, "a star above a fish", config=CONFIG.with_(scale=0.0)):
        assert (run() == plain).all()


def test_guidance_moves_objects_to_where_the_prompt_wants_them(pipe):
    """24 pictures of the tune split: more of them are right guided than unguided, and by a wide margin."""
    asked = prompts("tune", 24)
    texts = [p.text for p in asked]

    def correct():
        generators = [torch.Generator().manual_seed(seed("tune", text, 0)) for text in texts]
        images = pipe(texts, num_inference_steps=15, guidance_scale=GUIDANCE_SCALE, generator=generators).images
        return sum(inspect_image(image, p)["correct"] for image, p in zip(images, asked, strict=True))

    unguided = correct()
    with guide(pipe, texts, config=CONFIG) as guidance:
        guided = correct()
    assert guided >= unguided + 4
    steps = [step for step in guidance.trace if step.guided]
    gaps = [(s.centroid[:, 1] - s.centroid[:, 0]) for s in (steps[0], steps[-1])]
    axis = [scene.relations[0].relation.axis for scene in guidance.scenes]
    sign = [scene.relations[0].relation.direction[a] for scene, a in zip(guidance.scenes, axis, strict=True)]
    first, last = (sum(g[i, a].item() * s for i, (a, s) in enumerate(zip(axis, sign, strict=True))) for g in gaps)
    assert last > first
