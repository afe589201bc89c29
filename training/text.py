"""The tokenizer and text encoder of the shipped models: the real CLIP classes with a vocabulary of the world's words."""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from infsplign.shapes.nouns import NAMES
from infsplign.shapes.world import CAPTION_PLACES, CAPTION_PREFIXES, CAPTION_RELATIONS

MORE_WORDS = [
    "and",
    "between",
    "one",
    "two",
    "three",
    "four",
    "the",
    "of",
    "with",
    "without",
    "is",
    "are",
    "this",
    "that",
    "there",
    "it",
    "on",
    "at",
    "by",
    "over",
    "beneath",
    "underneath",
    "upper",
    "lower",
    "middle",
    "center",
    "side",
    "corner",
    "edge",
    "big",
    "small",
    "large",
    "tiny",
    "huge",
    "red",
    "blue",
    "green",
    "yellow",
    "lime",
    "pink",
    "purple",
    "cyan",
    "teal",
    "black",
    "orange",
    "brown",
    "navy",
    "magenta",
    "white",
    "grey",
    "gray",
    "background",
    "scene",
    "drawing",
    "picture",
    "photo",
    "image",
    "dark",
    "light",
    "bright",
]
LENGTH = 77


def words() -> list[str]:
    phrases = [*NAMES, *CAPTION_RELATIONS, *CAPTION_PLACES, *CAPTION_PREFIXES, "a", "an", ","]
    return sorted({word for phrase in phrases for word in phrase.split()} | set(MORE_WORDS))


def build_tokenizer(length: int = LENGTH, known: list[str] | None = None) -> CLIPTokenizer:
    """A byte-level BPE as CLIP's, in which every word of `known`, by default of the world of shapes, is one token.

    Any other word falls into pieces. The trainer of `tokenizers` breaks ties at random: tokens have other numbers each time.

    Raises:
        RuntimeError: a known word is split all the same.
    """
    suffix, known = "</w>", known or words()
    trainer = trainers.BpeTrainer(vocab_size=5000, min_frequency=1, end_of_word_suffix=suffix, show_progress=False)
    scratch = Tokenizer(models.BPE(end_of_word_suffix=suffix))
    scratch.pre_tokenizer = pre_tokenizers.Whitespace()
    scratch.train_from_iterator([" ".join(known)] * 2, trainer)
    learned = json.loads(scratch.to_str())["model"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [tuple(m) for m in learned["merges"]]
    tokens = alphabet + [c + suffix for c in alphabet] + ["".join(m) for m in merges]
    tokens = [*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, model_max_length=length)
    _check(tokenizer, known)
    return tokenizer


def kept_tokenizer(folder: Path, length: int = LENGTH, known: list[str] | None = None) -> CLIPTokenizer:
    """The tokenizer in `folder`, or where there is none `build_tokenizer`, which is then kept there.

    A model knows words by their numbers, so a training that goes on needs the very tokenizer that it began with.

    Raises:
        RuntimeError: it splits a known word.
    """
    if not (folder / "tokenizer.json").exists():
        build_tokenizer(length, known).save_pretrained(folder)
    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    _check(tokenizer, known or words())
    return tokenizer


def _check(tokenizer: CLIPTokenizer, known: list[str]) -> None:
    split = [word for word in known if len(tokenizer(word).input_ids) != 3]
    if split:
        raise RuntimeError(f"the tokenizer splits known words: {split}")


def build_text_encoder(
    tokenizer: CLIPTokenizer, width: int = 96, length: int = LENGTH, *, layers: int = 2, expansion: int = 2
) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=expansion * width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            max_position_embeddings=length,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def encode(tokenizer: CLIPTokenizer, texts: list[str], length: int = LENGTH):
    return tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids


def save(folder: Path, tokenizer: CLIPTokenizer) -> None:
    tokenizer.save_pretrained(folder)


def name_as_published(folder: Path) -> None:
    """Renames the weights of a `CLIPTextModel` as in published checkpoints, which every release of transformers reads; release 5 leaves the
    prefix out, and release 4 then reads nothing."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file({f"text_model.{name.removeprefix('text_model.')}": value for name, value in weights.items()}, path, {"format": "pt"})
