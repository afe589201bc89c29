"""The training of `pictures` goes on from what ships."""

import torch
from infsplign_models import WEIGHTS
from safetensors.torch import load_file

from training.pictures import unet
from training.pictures.text import build_text_encoder, load_tokenizer


def test_it_begins_from_the_weights_that_ship():
    modules = {"unet": unet.build(), "text_encoder": build_text_encoder(load_tokenizer())}
    unet.begin_from_shipped("pictures", modules)
    kept = load_file(WEIGHTS / "pictures" / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(value, kept[name].float()) for name, value in modules["unet"].state_dict().items())
