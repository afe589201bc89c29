"""Tokenizers without a download: the true CLIP vocabulary out of the open_clip wheel, and a small sentencepiece model for T5."""

import gzip
import importlib.util
from pathlib import Path

import pytest

_TEXT = (
    "a an the of to left right on above below top bottom photo cat dog bear teddy star fruit fire hydrant surfboard wine glass table lamp "
    "kite train bench umbrella elephant zebra café red green old small apple orange key mouse chair clock book vase boat bus cow horse"
)
WORDS = _TEXT.split()


def build_clip_tokenizer():
    """CLIP's tokenizer with its 49,408 entries."""
    import transformers

    found = importlib.util.find_spec("open_clip")  # found, not imported: it would need torchvision
    if found is None or found.origin is None:
        pytest.fail("open_clip_torch is not installed: `pip install --no-deps open_clip_torch==3.3.0`, as `make test` does")
    lines = gzip.decompress((Path(found.origin).parent / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    pieces = [*letters, *(letter + "</w>" for letter in letters), *("".join(merge) for merge in merges), "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges, model_max_length=77)


def build_t5_tokenizer(folder: Path):
    """A T5 tokenizer over a unigram model trained on WORDS, too small for most of them: words are cut into pieces as T5's are."""
    transformers, sentencepiece = importlib.import_module("transformers"), importlib.import_module("sentencepiece")
    lines = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(folder / "spiece"), vocab_size=90, model_type="unigram", hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1, minloglevel=2,
    )  # fmt: skip
    return transformers.T5Tokenizer.from_pretrained(str(folder), model_max_length=120)
