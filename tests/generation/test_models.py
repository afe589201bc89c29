"""Model folders that a user names: whole ones, and what is said of others."""

import pytest
from safetensors.torch import load_file, save_file

from infsplign.generation.models import read_pipeline
from tests import tiny

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


def test_a_whole_model_is_loaded(folder):
    assert type(read_pipeline(str(folder), device="cpu").unet).__name__ == "UNet2DConditionModel"
