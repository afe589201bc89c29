"""Positions of objects from ComfyUI's tokens, whose weights and embeddings have no characters of their own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infsplign.errors import PromptError
from integrations.comfyui.tokens import Token, object_positions, spans
from tests.integrations.stand_in import CHUNK, WIDTH, Clip

PLAIN = ["cat", "left", "surfboard", "café", "x1", ","]
WORDS = ["cat", "teddy", "surfboard", "café", "left", "of", "(", ")", "x1", ",", "BREAK", "don't"]


def written(clip, positions, prompt):
    """The text of the tokens at `positions`."""
    (chunks,) = clip.tokenize(prompt).values()
    tokens = [token for chunk in chunks for token, _ in chunk]
    return clip.tokenizer.clip_l.bpe.decode([tokens[i] for i in positions]).strip()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(PLAIN), st.sampled_from(["", "1.2", "0.85"])), max_size=90))
def test_positions_are_of_the_tokens_that_spell_the_phrase(words):
    """Weights, and chunks of 77 tokens where words are many, do not move them."""
    listed = " ".join(f"({word}:{weight})" if weight else word for word, weight in words)
    prompt = f"{listed} a (red:1.3) kite, {listed} a dog"
    clip = Clip()
    (kite, dog), length = object_positions(clip, prompt, ["red kite", "dog"])
    assert written(clip, kite, prompt) == "red kite"
    assert written(clip, dog, prompt) == "dog"
    assert length % CHUNK == 0
    assert max(dog) < length


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20))
def test_spans_are_the_words(words):
    """Literal tokens, brackets by escapes among them, get the characters that they are."""
    prompt = " ".join(f"\\{word}" if word in "()" else word for word in words)
    tokens = [Token(i, word.lower().encode(), i) for i, word in enumerate(words)]
    assert [prompt[start:stop] for start, stop in spans(tokens, prompt)] == words


def test_break_is_a_word_to_comfyui():
    clip, prompt = Clip(), "a cat BREAK a dog"
    ((dog,), _) = object_positions(clip, prompt, ["dog"])
    assert written(clip, dog, prompt) == "dog"


def test_embeddings_of_several_vectors_are_one_object_and_move_what_follows():
    clip = Clip(embeddings={"l": {"kitty": torch.ones(3, WIDTH)}})
    prompt = "an (embedding:kitty:1.1) left of a dog"
    (kitty, dog), _ = object_positions(clip, prompt, ["embedding:kitty", "dog"])
    before = len(clip.given["l"].bpe("an")["input_ids"]) - 1
    assert kitty == (before, before + 1, before + 2)
    assert written(Clip(), [position - 3 for position in dog], "an left of a dog") == "dog"


def test_an_embedding_that_is_not_there_has_no_tokens():
    clip, prompt = Clip(), "embedding:none cat left of a dog"
    (cat, _), _ = object_positions(clip, prompt, ["cat", "dog"])
    assert cat[0] == 1
    with pytest.raises(PromptError, match="has no token of its own"):
        object_positions(clip, prompt, ["embedding:none"])


def test_two_encoders_give_the_positions_of_both():
    same = Clip("lg")
    single, _ = object_positions(Clip(), "a cat and a dog", ["dog"])
    assert object_positions(same, "a cat and a dog", ["dog"])[0] == single
    other = Clip("lg", embeddings={"g": {"kitty": torch.ones(2, WIDTH)}})  # one that the first encoder does not have
    ((dog,), _) = object_positions(other, "embedding:kitty and a dog", ["dog"])
    ((without,), _) = object_positions(Clip(), "and a dog", ["dog"])
    assert dog == tuple(sorted({*without, *(position + 2 for position in without)}))


def test_an_object_beyond_the_shorter_encoder_is_cut_off():
    many = Clip("lg", embeddings={"g": {"kitty": torch.ones(100, WIDTH)}})
    with pytest.raises(PromptError, match="'dog' is cut off: its last token is number 1.., the model reads 77"):
        object_positions(many, "embedding:kitty and a dog", ["dog"])


def test_an_embedding_of_another_width_is_refused():
    clip = Clip(embeddings={"l": {"kitty": torch.ones(2, WIDTH + 1)}})
    with pytest.raises(PromptError, match=f"vectors of {WIDTH + 1} numbers where this text encoder has {WIDTH}"):
        object_positions(clip, "embedding:kitty and a dog", ["dog"])


def test_other_encoders_are_refused():
    with pytest.raises(TypeError, match="got one with the text encoders t5xxl"):
        object_positions(Clip(["l", "t5xxl"]), "a cat and a dog", ["dog"])


def test_tokens_that_are_not_in_the_prompt_are_an_error():
    with pytest.raises(PromptError, match="'dog' was expected here:\n  a cat\n    \\^"):
        spans([Token(1, b"a", 1), Token(2, b"dog", 2)], "a cat")
    with pytest.raises(PromptError, match="an embedding's vector was expected here"):
        spans([Token(1, None, 1)], "a cat")


def test_quotes_and_composed_accents_match_what_the_tokenizer_makes_of_them():
    assert spans([Token(1, b"cat", 1), Token(2, b"'s", 2)], "cat\u2019s") == [(0, 3), (3, 5)]
    clip = Clip()
    apart, composed = (object_positions(clip, f"a caf{letter} and a dog", ["caf\u00e9", "dog"]) for letter in ("e\u0301", "\u00e9"))
    assert apart == composed
