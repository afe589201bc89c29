"""The models that ship: small, offline, stock classes, and guided to where the prompt says."""

import zlib

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    PixArtAlphaPipeline,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from infsplign_models import WEIGHTS
from safetensors import safe_open
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer, T5EncoderModel

from infsplign import guide
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.evaluation.scoring.world_evaluation import inspect_image
from infsplign.shipped import PRESETS, load, shipped, world

SD = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel, "tokenizer": CLIPTokenizer}
STOCK = {
    "pictures": (StableDiffusionPipeline, SD),
    "pictures-v": (StableDiffusionPipeline, SD),
    "pictures-xl": (
        StableDiffusionXLPipeline,
        SD | {"text_encoder_2": CLIPTextModelWithProjection, "tokenizer_2": CLIPTokenizer},
    ),
    "shapes": (StableDiffusionPipeline, SD),
    "shapes-pixart": (PixArtAlphaPipeline, {"transformer": PixArtTransformer2DModel, "vae": AutoencoderKL, "text_encoder": T5EncoderModel}),
    "shapes-sd3": (
        StableDiffusion3Pipeline,
        {
            "transformer": SD3Transformer2DModel,
            "vae": AutoencoderKL,
            "text_encoder": CLIPTextModelWithProjection,
            "text_encoder_2": CLIPTextModelWithProjection,
            "text_encoder_3": T5EncoderModel,
        },
    ),
}


@pytest.fixture(scope="module", params=PRESETS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def pipe(name):
    pipe = load(name)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def call(name, texts, seeds, steps, **options):
    """Images of a shipped model as its preset calls it, from the same noise each time."""
    preset = PRESETS[name]
    options |= {"num_inference_steps": steps, "guidance_scale": preset.guidance_scale}

    def run(pipe):
        return pipe(texts, generator=[torch.Generator().manual_seed(seed) for seed in seeds], **options, **preset.call).images

    return run


def test_text_encoders_have_the_names_of_published_checkpoints_which_transformers_4_needs():
    folders = [path for path in WEIGHTS.rglob("text_encoder*") if "CLIP" in (path / "config.json").read_text("utf-8")]
    assert len(folders) >= 5
    for folder in folders:
        with safe_open(folder / "model.safetensors", "pt") as file:
            assert all(name.startswith(("text_model.", "text_projection.")) for name in file.keys())  # noqa: SIM118


def test_all_models_together_are_small_and_in_half_precision():
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(len(zlib.compress(path.read_bytes())) for path in files) < 60e6  # as a wheel packs them
    assert all(path.stat().st_size < 25e6 for path in files)
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert len(weights) >= 9
    for path in weights:
        with safe_open(path, "pt") as file:
            assert {file.get_tensor(name).dtype for name in file.keys()} <= {torch.float16, torch.int64}  # noqa: SIM118


def test_all_ship():
    assert shipped() == tuple(PRESETS) == tuple(STOCK)


def test_it_is_a_stock_pipeline(pipe, name):
    kind, parts = STOCK[name]
    assert type(pipe) is kind
    for part, kind in parts.items():
        assert type(getattr(pipe, part)) is kind


def test_pictures_v_predicts_v():
    assert load("pictures-v").scheduler.config.prediction_type == "v_prediction"


def test_an_unknown_model_is_refused_with_the_names_of_the_known():
    with pytest.raises(ValueError, match="shapes.*'sd9'"):
        load("sd9")


@pytest.mark.parametrize("dtype", ["float16", 16])
def test_a_precision_that_is_no_type_of_torch_is_refused(dtype):
    """Diffusers would load float32, and only log it."""
    with pytest.raises(TypeError, match=f"`dtype` must be a `torch.dtype`.*got {dtype!r}"):
        load(dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_loads_in_the_asked_precision(name, dtype):
    pipe = load(name, dtype=dtype)
    assert {part.dtype for part in pipe.components.values() if isinstance(part, torch.nn.Module)} == {dtype}


def test_every_noun_is_one_token_a_word(pipe, name):
    for noun in world(PRESETS[name].world).nouns:
        assert len(pipe.tokenizer(noun, add_special_tokens=False).input_ids) == len(noun.split())


def test_scale_zero_gives_the_stock_pictures_bit_by_bit(pipe, name):
    text = prompts("tune", 1, PRESETS[name].world)[0].text
    run = call(name, text, [0], 3, output_type="np")
    plain = run(pipe)
    with guide(pipe, text, config=PRESETS[name].config.with_(scale=0.0)):
        assert (run(pipe) == plain).all()


def test_guidance_moves_objects_to_where_the_prompt_wants_them(pipe, name):
    """24 pictures of the tune split: more of them are right guided than unguided, and by a wide margin."""
    drawn = world(PRESETS[name].world)
    asked = prompts("tune", 24, drawn.name)
    texts = [p.text for p in asked]
    steps = 30 if name == "shapes-sd3" else 15  # half of its steps are too few for the MMDiT to draw both objects often enough
    run = call(name, texts, [seed("tune", text, 0) for text in texts], steps)

    def correct():
        return sum(inspect_image(image, p, drawn)["correct"] for image, p in zip(run(pipe), asked, strict=True))

    unguided = correct()
    with guide(pipe, texts, config=PRESETS[name].config) as guidance:
        guided = correct()
    assert guided >= unguided + 4
    looked = [step for step in guidance.trace if step.guided]
    gaps = [(s.centroid[:, 1] - s.centroid[:, 0]) for s in (looked[0], looked[-1])]
    axis = [scene.relations[0].relation.axis for scene in guidance.scenes]
    sign = [scene.relations[0].relation.direction[a] for scene, a in zip(guidance.scenes, axis, strict=True)]
    first, last = (sum(g[i, a].item() * s for i, (a, s) in enumerate(zip(axis, sign, strict=True))) for g in gaps)
    assert last > first
