"""Phrase -> characters of the text -> token positions of a tokenizer.

The text is the string that the tokenizer really sees. Words are never counted: "surfboard" is two CLIP tokens, and what follows it
would be off by one. Nothing here imports transformers; any fast tokenizer of it will do.
"""

import operator
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from infsplign.core.scenes import Scene
from infsplign.errors import PromptError
from infsplign.prompts.phrases import find_phrases, fold, underline
from infsplign.prompts.weights import plain

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
"""Control characters that are no blanks."""
NO_LIMIT = 10**6  # transformers spells "no limit" as a model_max_length of 1e30


def token_indices(
    tokenizer: Any,
    text: str,
    phrases: Sequence[str],
    *,
    max_length: int | None = None,
    offset: int = 0,
    nth: Mapping[str, int] | None = None,
    padding_side: str | None = None,
) -> tuple[tuple[int, ...], ...]:
    """Finds the positions of phrases among the tokens of a text.

    Args:
        tokenizer: a fast tokenizer of transformers.
        text: the string that the tokenizer really sees.
        phrases: O phrases, see `find_phrases`.
        max_length: tokens that the model reads, special ones included; `tokenizer.model_max_length` when None.
        offset: added to every position: where this tokenizer's segment begins on the text axis.
        nth: phrase -> which occurrence, counted from 0.
        padding_side: side that the pipeline pads on; the tokenizer's when None.

    Returns:
        O tuples of ascending positions; special tokens and blanks are never among them.

    Raises:
        PromptError: a phrase is not in the text, or truncation cuts it.
        ValueError: `max_length` is needed, the tokenizer has no offsets, or it pads on the left.
    """
    length = tokenizer.model_max_length if max_length is None else max_length
    if length > NO_LIMIT:
        raise ValueError(f"`max_length` must be given: {type(tokenizer).__name__} states no limit (`model_max_length` is {length:.0e})")
    if (padding_side or getattr(tokenizer, "padding_side", "right")) != "right":
        # Left padding shifts every position by `length - len(tokens)`: add that to `offset` here once a backbone needs it.
        raise ValueError(f"`padding_side` must be 'right', got 'left' from {type(tokenizer).__name__}; pass `token_indices`")
    reading = read_phrases(tokenizer, text, phrases, nth=nth)
    found = []
    for phrase, positions in zip(phrases, reading.numbers, strict=True):
        if positions[-1] >= length - reading.trailing:
            raise PromptError(cut_off(phrase, text, positions, length - reading.trailing, nth=nth))
        found.append(tuple(offset + i for i in positions))
    return tuple(found)


class PhraseTokens(NamedTuple):
    """A text as a tokenizer reads it.

    Attributes:
        text: the text.
        ids: of its tokens, neither truncated nor padded, special ones included.
        trailing: how many special tokens end it.
        numbers: for each phrase, which of `ids` are its tokens.
        begin: where the prompt begins in `text`.
    """

    text: str
    ids: list[int]
    trailing: int
    numbers: tuple[tuple[int, ...], ...]
    begin: int = 0


def read_phrases(
    tokenizer: Any, text: str, phrases: Sequence[str], *, nth: Mapping[str, int] | None = None, begin: int = 0
) -> PhraseTokens:
    """Finds phrases among the tokens of a text, however long.

    Args:
        tokenizer, text, phrases, nth: as in `token_indices`.
        begin: where the prompt begins in the text, behind a pipeline's own instruction: phrases are looked for from there on.

    Raises:
        PromptError: a phrase is not in the text, or has no token of its own; the text has control characters.
        ValueError: the tokenizer has no offsets, or no words: transformers makes an empty one of a folder that lacks its files.
    """
    if control := _CONTROL.search(text):  # T5's normalizer drops it, and the offsets of all tokens after it are then off by one
        raise PromptError(f"the prompt must hold no control characters, got {control.group()!r} at {control.start()}; remove it")
    ids, tokens = _tokens(tokenizer, text)
    trailing = next((i for i, token in enumerate(reversed(tokens)) if not token.special), len(tokens))
    spoken = {number for number, token in zip(ids, tokens, strict=True) if token.stop}
    if spoken == {getattr(tokenizer, "unk_token_id", None)} and _empty(tokenizer):
        raise ValueError(f"{type(tokenizer).__name__} knows no word of {text!r}: were its files saved or downloaded whole?")
    found: list[tuple[int, ...]] = []
    taken: set[int] = set()
    without_weights = plain(text)
    for phrase, place in zip(phrases, find_phrases(text[begin:], phrases, nth=nth), strict=True):
        start, stop = (begin + number for number in place)
        inside = [i for i, token in enumerate(tokens) if token.start < stop and start < token.stop]
        # "(red:1.3) cat", "large, red cat" and "Mr. Cat": tokens of weights, commas and full stops alone say nothing of the object
        visible = (text if fold(text[start:stop]) == fold(phrase) else without_weights).replace(",", " ").replace(".", " ")
        numbers = tuple(i for i in inside if visible[tokens[i].start : tokens[i].stop].strip()) or tuple(inside)
        if not numbers or not taken.isdisjoint(numbers):  # two emoji side by side may be one token
            raise PromptError(f"{phrase!r} has no token of its own in {type(tokenizer).__name__}:\n{underline(text, start, stop)}")
        taken.update(numbers)
        found.append(numbers)
    return PhraseTokens(text, ids, trailing, tuple(found), begin)


def _empty(tokenizer: Any) -> bool:
    """Whether a tokenizer has no letter but in its special tokens."""
    special = set(tokenizer.all_special_tokens)
    return not any(any(map(str.isalnum, piece)) for piece in tokenizer.get_vocab() if piece not in special)


def cut_off(phrase: str, text: str, numbers: Sequence[int], length: int, *, nth: Mapping[str, int] | None = None) -> str:
    """The message for a phrase whose tokens lie beyond the `length` that are read."""
    ((start, stop),) = find_phrases(text, [phrase], nth=nth)
    return (
        f"{phrase!r} is cut off: its tokens are number {numbers[0]} to {numbers[-1]}, the model reads those below "
        f"{length}:\n{underline(text, start, stop)}\nShorten the prompt, or move the object towards its beginning."
    )


class _Token(NamedTuple):
    start: int
    stop: int
    special: bool


def _tokens(tokenizer: Any, text: str) -> tuple[list[int], list[_Token]]:
    """Ids and tokens of the untruncated text; those that stand for no character of their own have an empty span."""
    try:
        encoded = tokenizer(
            text, return_offsets_mapping=True, return_special_tokens_mask=True, truncation=False, padding=False, verbose=False
        )
        offsets = encoded["offset_mapping"]
    except (NotImplementedError, KeyError) as error:
        raise ValueError(
            f"`tokenizer` must give character offsets, {type(tokenizer).__name__} does not: load its fast version, or pass `token_indices`"
        ) from error
    tokens = []
    pieces = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    for piece, (start, stop), special in zip(pieces, offsets, encoded["special_tokens_mask"], strict=True):
        # A lone T5 `▁` carries the offset of the character after it, which has a token of its own.
        blank = special or piece == "▁" or text[start:stop].isspace()
        tokens.append(_Token(0, 0, bool(special)) if blank else _Token(start, stop, False))
    return list(encoded["input_ids"]), tokens


def check_apart(indices: Sequence[Sequence[int]], scene: Scene) -> None:
    """Raises ValueError if two objects of one relation have the same token positions: their maps, and so their places, are the same."""
    for edge in scene.relations:
        for a, b in combinations(edge.objects, 2):
            if set(indices[a]) == set(indices[b]):
                raise ValueError(
                    f"`token_indices` must differ for {scene.objects[a]!r} and {scene.objects[b]!r}, which stand in a relation, got "
                    f"{list(indices[a])} for both: their maps would be the same"
                )


def check_token_indices(indices: Sequence[Sequence[int]], objects: Sequence[str], length: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Checks token positions that a user gave by hand.

    Args:
        indices: for each object its positions on the text axis.
        objects: O phrases, for the messages.
        length: number of positions T; None where it is not known yet.

    Returns:
        `indices` as tuples of plain integers.

    Raises:
        ValueError: not one non-empty list of positions 0 <= i < T for each object.
        TypeError: something else than integers.

    >>> check_token_indices([[2], [6, 7]], ["cat", "teddy bear"], 77)
    ((2,), (6, 7))
    """
    if isinstance(indices, str) or len(indices) != len(objects):
        raise ValueError(f"`token_indices` must have one list for each of the objects {list(objects)}, got {indices!r}")
    checked = []
    for phrase, positions in zip(objects, indices, strict=True):
        try:
            row = tuple(operator.index(i) for i in positions)
        except TypeError as error:
            raise TypeError(f"`token_indices` of {phrase!r} must be a list of integers, got {positions!r}") from error
        if not row:
            raise ValueError(f"`token_indices` of {phrase!r} must hold at least one position, got none")
        if any(isinstance(i, bool) for i in positions):
            raise TypeError(f"`token_indices` of {phrase!r} must be integers, got {positions!r}")
        if wrong := [i for i in row if i < 0]:
            raise ValueError(f"`token_indices` of {phrase!r} must be 0 or more, got {wrong[0]}")
        if length is not None and (wrong := [i for i in row if i >= length]):
            raise ValueError(f"`token_indices` of {phrase!r} must be < {length}, got {wrong[0]}; was the prompt truncated?")
        checked.append(row)
    return tuple(checked)
