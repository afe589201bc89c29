"""Positions of objects on the text axis, from the output of ComfyUI's tokenizers.

ComfyUI removes weights such as "(cat:1.2)", puts the vectors of "embedding:NAME" in place of tokens, and starts another 77 tokens where a
text is longer. Its tokens have no character offsets. So the tokens' own characters are matched to those of the prompt.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from infsplign.errors import PromptError
from infsplign.prompts.phrases import underline
from infsplign.prompts.tokens import read_phrases

ENCODERS = {"l": "clip_l", "g": "clip_g", "h": "clip_h"}
"""Keys of `clip.tokenize` to the attribute of `clip.tokenizer`: of Stable Diffusion 1.x (l), 2.x (h) and XL (g and l)."""
_LEFT_OUT = re.compile(r"embedding:[^\s]*|:\s*[-+]?[\d.]+\s*(?=\))|[()\\]|\s", re.IGNORECASE)
"""What has no token: the name of an embedding that does not exist, weights, escapes, blanks."""
_EMBEDDING = re.compile(r"embedding:[^\s():,]*", re.IGNORECASE)
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_BYTES = [*range(33, 127), *range(161, 173), *range(174, 256)]
_LETTERS = {chr(b): b for b in _BYTES} | {chr(256 + n): b for n, b in enumerate(b for b in range(256) if b not in _BYTES)}
"""The letters by which byte-level BPE writes bytes."""


class Token(NamedTuple):
    """A token of the prompt: its position on the text axis, its bytes (None for a vector of an embedding), and its group."""

    position: int
    piece: bytes | None
    group: int


def object_positions(clip: Any, prompt: str, phrases: Sequence[str]) -> tuple[tuple[tuple[int, ...], ...], int]:
    """Finds the positions of phrases on the text axis.

    Args:
        clip: ComfyUI's CLIP.
        prompt: the text.
        phrases: O objects, as the prompt spells them.

    Returns:
        O tuples of ascending positions, and the length of the axis, a multiple of 77. Where two encoders differ, positions of both.

    Raises:
        PromptError: a phrase is not in the prompt, or tokens cannot be matched to the prompt.
        TypeError: `clip` has other text encoders than Stable Diffusion 1.x, 2.x or XL.
    """
    encoded = clip.tokenize(prompt, return_word_ids=True)
    prompt = unicodedata.normalize("NFC", prompt)  # as the tokenizers do
    unknown = sorted(set(encoded) - set(ENCODERS))
    if unknown or not encoded:
        raise TypeError(f"`clip` must be of Stable Diffusion 1.x, 2.x or XL, got one with the text encoders {', '.join(unknown) or 'none'}")
    found: list[set[int]] = [set() for _ in phrases]
    for key, chunks in encoded.items():
        tokenizer = getattr(clip.tokenizer, ENCODERS[key], clip.tokenizer)
        reading = read_phrases(_Offsets(_tokens(chunks, tokenizer), prompt), prompt, phrases)
        for positions, numbers in zip(found, reading.numbers, strict=True):
            positions.update(reading.ids[number] for number in numbers)
    length = min(sum(map(len, chunks)) for chunks in encoded.values())
    for phrase, positions in zip(phrases, found, strict=True):
        if max(positions) >= length:
            raise PromptError(f"{phrase!r} is cut off: its last token is number {max(positions)}, the model reads {length}")
    return tuple(tuple(sorted(positions)) for positions in found), length


def prompt_positions(clip: Any, prompt: str, length: int) -> tuple[int, ...]:
    """Positions of all tokens of a prompt on a text axis of `length` positions, those of both encoders where there are two."""
    encoded = clip.tokenize(prompt, return_word_ids=True)
    found: set[int] = set()
    for key, chunks in encoded.items():
        found.update(token.position for token in _tokens(chunks, getattr(clip.tokenizer, ENCODERS[key], clip.tokenizer)))
    return tuple(sorted(position for position in found if position < length))


def _tokens(chunks: Sequence[Sequence[Any]], tokenizer: Any) -> list[Token]:
    """The tokens of the prompt, without start, end and padding, whose word id is 0."""
    found, start = [], 0
    for chunk in chunks:
        for place, (token, weight, group) in enumerate(chunk):
            if group == 0:
                continue
            if isinstance(token, Tensor):
                _check_width(token, tokenizer)
                found.append(Token(start + place, None, group))
            else:
                ((_, piece),) = tokenizer.untokenize([(token, weight)])
                found.append(Token(start + place, _bytes(piece), group))
        start += len(chunk)
    return found


def _check_width(vector: Tensor, tokenizer: Any) -> None:
    width = getattr(tokenizer, "embedding_size", None)
    if width is not None and vector.shape[-1] != width:
        raise PromptError(
            f"an `embedding:` of the prompt has vectors of {vector.shape[-1]} numbers where this text encoder has {width}, so ComfyUI "
            "leaves it out and moves the tokens after it. Remove it, or take one made for this model"
        )


def _bytes(piece: str) -> bytes:
    """The bytes that a token stands for, quotes straight, as in `_Offsets`."""
    raw = bytes(_LETTERS[letter] for letter in piece.removesuffix("</w>"))
    try:
        return raw.decode().translate(_STRAIGHT).encode()
    except UnicodeDecodeError:  # a part of a character
        return raw


class _Offsets:
    """Stands in for a tokenizer with character offsets, as `read_phrases` takes one. Its ids are positions on the text axis."""

    def __init__(self, tokens: Sequence[Token], prompt: str) -> None:
        self.tokens, self.spans = tokens, spans(tokens, prompt)

    def __call__(self, _text: str, **_options: Any) -> dict[str, Any]:
        ids = [token.position for token in self.tokens]
        return {"input_ids": ids, "offset_mapping": self.spans, "special_tokens_mask": [0] * len(ids)}

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [""] * len(ids)


def spans(tokens: Sequence[Token], prompt: str) -> list[tuple[int, int]]:
    """Matches tokens to the characters of the prompt, from left to right: (start, stop) for each token.

    Raises:
        PromptError: a token does not continue the prompt.
    """
    written, places = _written(prompt)
    found: list[tuple[int, int]] = []
    cursor = 0  # in bytes
    for number, token in enumerate(tokens):
        if number and token.piece is None and tokens[number - 1].piece is None and token.group == tokens[number - 1].group:
            found.append(found[-1])  # another vector of the same embedding
            continue
        while True:
            place = places[cursor] if cursor < len(places) else len(prompt)
            match = _EMBEDDING.match(prompt, place) if token.piece is None else None
            if match:
                found.append(match.span())
                cursor = _after(places, match.end())
                break
            if token.piece is not None and token.piece and written.startswith(token.piece, cursor):
                cursor += len(token.piece)
                found.append((place, places[cursor - 1] + 1))
                break
            skipped = _LEFT_OUT.match(prompt, place) if place < len(prompt) else None
            if skipped is None and (place == len(prompt) or unicodedata.category(prompt[place])[0] != "C"):
                raise PromptError(_unmatched(prompt, place, token))
            cursor = _after(places, skipped.end() if skipped else place + 1)
    return found


def _written(prompt: str) -> tuple[bytes, list[int]]:
    """The prompt's bytes as a tokenizer of CLIP writes them (lower case, composed, quotes straight), and each byte's character."""
    written, places = b"", []
    lower = prompt.lower()  # as a whole: the form of a Greek sigma depends on its place in the word
    for number, letter in enumerate(lower if len(lower) == len(prompt) else prompt):
        piece = letter.lower().translate(_STRAIGHT).encode()
        written += piece
        places += [number] * len(piece)
    return written, places


def _after(places: Sequence[int], character: int) -> int:
    """The first byte of a character, or the end."""
    return next((byte for byte, place in enumerate(places) if place >= character), len(places))


def _unmatched(prompt: str, place: int, token: Token) -> str:
    shown = "an embedding's vector" if token.piece is None else repr(token.piece.decode(errors="replace"))
    return (
        f"`prompt` could not be matched to its tokens: {shown} was expected here:\n{underline(prompt, place, place)}\n"
        "Write it without special characters and without the syntax of other nodes"
    )
