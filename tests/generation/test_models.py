"""Model folders that a user names: whole ones, and what is said of others."""

import diffusers
import pytest
import torch
from diffusers import LatentConsistencyModelPipeline, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from safetensors.torch import load_file, save_file

from infsplign import guide
from infsplign.generation import models
from infsplign.generation.job import Job
from infsplign.generation.models import read_pipeline, variant
from infsplign.generation.options import GenerateOptions
from tests import tiny, tiny_transformers

WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


def without(file, name):
    """Drops a weight from a file."""
    weights = load_file(file)
    del weights[name]
    save_file(weights, file, metadata={"format": "pt"})


@pytest.fixture
def folder(tmp_path):
    tiny.sd().save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("part", "kind", "name"),
    [
        ("unet", "UNet2DConditionModel", "conv_in.weight"),
        ("vae", "AutoencoderKL", "decoder.conv_in.weight"),
        ("text_encoder", "CLIPTextModel", "final_layer_norm.weight"),
    ],
)
def test_a_model_without_some_of_its_weights_is_refused(folder, part, kind, name):
    """Transformers would make them at random, and say so in its log alone."""
    file = folder / part / f"{WEIGHTS[part]}.safetensors"
    without(file, next(key for key in load_file(file) if key.endswith(name)))
    with pytest.raises(OSError, match=f"could not be loaded: the weights of {kind} lack '.*{name}', which would be random"):
        read_pipeline(str(folder), device="cpu")


def test_a_text_encoder_without_a_head_that_nothing_reads_is_whole(tmp_path):
    pipe = tiny_transformers.hunyuandit()
    pipe.save_pretrained(tmp_path)
    file = tmp_path / "text_encoder" / "model.safetensors"
    for name in ("pooler.dense.weight", "pooler.dense.bias"):
        without(file, name)
    assert read_pipeline(str(tmp_path), device="cpu").text_encoder.dtype == torch.float32


def test_a_tokenizer_without_its_words_is_refused(folder):
    """Transformers makes an empty one of a folder that has `tokenizer_config.json` alone."""
    (folder / "tokenizer" / "tokenizer.json").unlink()
    pipe = read_pipeline(str(folder), device="cpu")
    with pytest.raises(ValueError, match="CLIPTokenizer knows no word of 'a cat to the left of a dog': were its files"):
        guide(pipe, "a cat to the left of a dog")


def test_a_tokenizer_without_its_length_is_refused(folder):
    (folder / "tokenizer" / "tokenizer_config.json").unlink()
    with pytest.raises(OSError, match="could not be loaded: `tokenizer` states no length"):
        read_pipeline(str(folder), device="cpu")


def test_weights_in_one_variant_alone_are_found(folder):
    for part, name in WEIGHTS.items():
        (folder / part / f"{name}.safetensors").rename(folder / part / f"{name}.fp16.safetensors")
    assert read_pipeline(str(folder), device="cpu", dtype="bf16").unet.dtype == torch.bfloat16
    (folder / "vae" / f"{WEIGHTS['vae']}.fp16.safetensors").rename(folder / "vae" / f"{WEIGHTS['vae']}.safetensors")
    read_pipeline(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["unet/a.safetensors", "unet/a.fp16.safetensors"], {}),
        (["unet/a.fp16.safetensors", "vae/a.safetensors"], {"variant": "fp16"}),
        (["unet/a.fp16-00001-of-00002.safetensors", "unet/a.fp16-00002-of-00002.safetensors"], {"variant": "fp16"}),
        (["unet/a-00001-of-00002.safetensors", "unet/a-00002-of-00002.safetensors"], {}),
        (["unet/a.fp16.safetensors", "vae/a.bf16.safetensors"], {}),
        (["unet/a.fp16.safetensors", "unet/a.bin"], {}),
        (["unet/a.fp16.bin", "vae/a.bin"], {"variant": "fp16"}),
        (["unet/a.safetensors", "loras/style.v2.safetensors"], {}),
    ],
)
def test_a_variant_is_asked_for_only_where_a_part_has_nothing_else(tmp_path, names, found):
    (tmp_path / "model_index.json").write_text('{"_class_name": "P", "unet": [], "vae": []}')
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert variant(tmp_path) == found
    assert variant(None) == {}


def test_a_whole_model_is_loaded(folder):
    assert type(read_pipeline(str(folder), device="cpu").unet).__name__ == "UNet2DConditionModel"


@pytest.fixture
def nothing_ships(monkeypatch):
    monkeypatch.setattr(models, "shipped", lambda: ())


@pytest.mark.usefixtures("nothing_ships")
def test_a_shipped_model_that_is_not_installed_is_told_so(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"'pictures' ships with infsplign and is not installed: .*, or name a local folder or a hub id"):
        models.check_model("pictures")
    with pytest.raises(ValueError, match="`--model` must be a local folder, or a hub id"):
        models.check_model("picture")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    with pytest.raises(ValueError, match=r"is not installed: .*; the folder of this name is '\./shapes'"):
        models.check_model("shapes")


def test_a_pipeline_that_needs_an_image_is_refused():
    pipe = tiny.sd()
    models.check_takes_text(pipe)
    for kind in (StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline):
        with pytest.raises(ValueError, match=f"a {kind.__name__}, which needs an image beside the prompt"):
            models.check_takes_text(kind(**pipe.components, requires_safety_checker=False))


def test_a_pipeline_that_needs_more_than_a_prompt_is_refused():
    """Their calls ended in a TypeError of diffusers'."""
    parts = {name: part for name, part in tiny.sd().components.items() if name != "image_encoder"} | {"requires_safety_checker": False}
    more = {"StableDiffusionAttendAndExcitePipeline": "needs 'token_indices' beside", "StableDiffusionGLIGENPipeline": "needs more"}
    for name, told in more.items():
        with pytest.raises(ValueError, match=f"a {name}, which {told}"):
            models.check_takes_text(getattr(diffusers, name)(**parts))


def test_a_negative_prompt_and_a_guidance_scale_that_change_nothing_are_refused():
    """Flux takes a negative prompt under its `true_cfg_scale` alone, which is 1; the LCM pipeline swallows it."""
    flux, sd = tiny_transformers.flux(), tiny.sd()
    lcm = LatentConsistencyModelPipeline(**tiny.sd(time_cond_proj_dim=8).components, requires_safety_checker=False)
    for pipe in (flux, lcm):
        with pytest.raises(ValueError, match=f"`--negative-prompt` changes nothing: this {type(pipe).__name__} samples without"):
            models.check_used(pipe, "a moon", 5.0)
        models.check_used(pipe, " ", 5.0)
    with pytest.raises(ValueError, match="`--negative-prompt` changes nothing with a guidance scale of 1; leave it out, or take a scale"):
        models.check_used(sd, "a moon", 1.0)
    for scale in (None, 1.5):
        models.check_used(sd, "a moon", scale, asked=scale)
        models.check_used(tiny_transformers.qwenimage(), "a moon", None)
    with pytest.raises(ValueError, match="`--guidance-scale` changes nothing: this FluxPipeline has a denoiser that takes none"):
        models.check_used(flux, None, 9.0, asked=9.0)
    models.check_used(tiny_transformers.flux(guidance_embeds=True), None, 9.0, asked=9.0)
    models.check_used(sd, None, 0.0, asked=0.0)


def test_a_guidance_scale_that_is_not_used_is_not_named():
    for pipe, told in ((tiny_transformers.flux(), "none"), (tiny_transformers.flux(guidance_embeds=True), "3.5"), (tiny.sd(), "7.5")):
        options = GenerateOptions("a circle to the left of a square", "some/model", steps=1)
        job = Job(pipe, options, *options.scene())
        assert f"guidance scale {told}, " in job.announcement()[1]
        assert job.guidance_scale == (None if told == "none" else float(told))


def test_a_pipeline_that_makes_another_size_than_asked_is_told():
    """Flux rounds to what its latents can be; HunyuanDiT takes the nearest of its own sizes."""
    pipe = tiny_transformers.flux()
    options = GenerateOptions("a circle to the left of a square", "flux", steps=1, height=34, width=40)
    with pytest.warns(UserWarning, match="`--width` and `--height` ask for 40x34 pixels, and FluxPipeline makes 40x32"):
        Job(pipe, options, *options.scene()).sample(0, "unguided")


@pytest.mark.parametrize("scale", [-2.0, 0.5])
def test_a_guidance_scale_that_diffusers_takes_for_none_is_refused(scale):
    with pytest.raises(ValueError, match=f"must be above 1, or 1 for no classifier-free guidance, got {scale:g}: StableDiffusionPipeline"):
        models.check_used(tiny.sd(), None, scale, asked=scale)
    for none in (0.0, 1.0):
        models.check_used(tiny.sd(), None, none, asked=none)
