"""Tiny random detectors of the real classes, saved as `from_pretrained` wants them."""

from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    OwlViTConfig,
    OwlViTForObjectDetection,
    SwinConfig,
)
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

from tests import tiny

SIDE = 32
"""Pixels that the network sees; patches of 8 give OWL 16 boxes."""
WORDS = ["circle", "star", "moon", "hydrant", "fire", "teddy", "bear", "cat", "dog", "a", "the"]


def owl(folder: Path, kind: str = "owlvit", seed: int = 0) -> Path:
    """An OWL detector whose scores are spread over (0, 1)."""
    config, architecture, images = {
        "owlvit": (OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessorPil),
        "owlv2": (Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessorPil),
    }[kind]
    torch.manual_seed(seed)
    tokenizer = tiny.tokenizer()
    small = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text = small | ends | {"vocab_size": len(tokenizer), "max_position_embeddings": 77}
    network = architecture(config(text_config=text, vision_config=small | {"image_size": SIDE, "patch_size": 8}, projection_dim=16))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    size = {"height": SIDE, "width": SIDE}
    network.save_pretrained(folder)
    images(size=size).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def grounding_dino(folder: Path, seed: int = 0) -> Path:
    """A Grounding DINO detector with a text encoder of a few words."""
    torch.manual_seed(seed)
    tokenizer = _bert_tokenizer()
    swin = SwinConfig(image_size=SIDE, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=2, out_indices=[2, 3, 4])
    bert = BertConfig(vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24)
    config = GroundingDinoConfig(
        backbone_config=swin, text_config=bert, d_model=32, num_queries=10, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=24,
        decoder_ffn_dim=24, encoder_attention_heads=2, decoder_attention_heads=2, max_text_len=32, disable_custom_kernels=True,
    )  # fmt: skip
    network = GroundingDinoForObjectDetection(config)
    network.save_pretrained(folder)
    GroundingDinoImageProcessorPil(size={"shortest_edge": 96, "longest_edge": 128}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _bert_tokenizer() -> BertTokenizer:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *WORDS]
    return BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=32)


class Fixed:
    """A detector of one's own that finds the same in every image."""

    def __init__(self, *found):
        self.found = list(found)

    def settings(self):
        return {"name": "fixed"}

    def detect(self, images, names):
        return [self.found for _ in images]
