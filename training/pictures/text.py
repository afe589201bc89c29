"""The tokenizer and text encoder: the real CLIP classes, with a vocabulary of the world's words and of everyday prompts."""

import torch
from infsplign_models.world import NAMES
from infsplign_models.world.captions import PLACES, PREFIXES, RELATIONS
from transformers import CLIPTextModel, CLIPTokenizer

from training import text
from training.pictures.checkpoints import WEIGHTS

COLOURS = "red blue green yellow pink purple black orange brown white grey gray"
MORE = (
    "and or one two three four the of with without is are this that there it on at by over beneath underneath upper lower middle center"
    " side corner edge bottom top big small large tiny huge background scene drawing picture photo image dark light bright between to in"
    " bicycle motorcycle truck kite wine glass table fork knife spoon bowl sandwich bed toilet oven phone cell vase scissors toothbrush"
    " skateboard surfboard tennis racket bottle bench fire hydrant stop sign parking meter tie frisbee skis snowboard baseball bat glove"
    " mouse remote keyboard microwave toaster sink refrigerator hair drier handbag dining potted man woman boy girl house tree flower"
)
SIZES = "small big"
WIDTH = 128


def words() -> list[str]:
    phrases = [*NAMES, *RELATIONS, *PLACES, *PREFIXES, "a", "an", ",", COLOURS, MORE]
    return sorted({word for phrase in phrases for word in phrase.split()})


def load_tokenizer() -> CLIPTokenizer:
    """A byte-level BPE as CLIP's, in which every known word is one token and any other falls into pieces; all models share it."""
    return text.kept_tokenizer(WEIGHTS / "tokenizer", known=words())


def build_text_encoder(tokenizer: CLIPTokenizer, layers: int = 3) -> CLIPTextModel:
    return text.build_text_encoder(tokenizer, WIDTH, layers=layers, expansion=4)


def content(tokenizer: CLIPTokenizer) -> torch.Tensor:
    """Which tokens are the start or a word of a noun or an adjective of the world, (vocabulary,)."""
    spoken = {word for phrase in (*NAMES, COLOURS, SIZES) for word in phrase.split()}
    numbers = tokenizer.convert_tokens_to_ids([f"{word}</w>" for word in sorted(spoken)])
    found = torch.zeros(len(tokenizer), dtype=torch.bool)
    found[[tokenizer.bos_token_id, *numbers]] = True
    return found
