"""Whatever the text, it is read or refused. `python -m benchmarks.fuzz` runs the same for longer."""

import pytest
from hypothesis import example, given, settings

from benchmarks.fuzz import TEXTS, check_prompt, check_relation, check_tokens, texts_with_phrases
from tests.fixtures_tokenizers import build_clip_tokenizer, build_t5_tokenizer


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory):
    return build_clip_tokenizer(), build_t5_tokenizer(tmp_path_factory.mktemp("t5"))


@settings(max_examples=200)
@example('0A THE"TOP-LEFT OF')  # a name in capitals that "the" ends
@example("Jack the left of a cat")
@given(TEXTS)
def test_prompts(text):
    check_prompt(text)


@settings(max_examples=200)
@example("cat left of dog\nbird")
@given(TEXTS)
def test_relations(text):
    check_relation(text)


@settings(max_examples=100, deadline=None)
@given(texts_with_phrases())
def test_tokens(tokenizers, drawn):
    for tokenizer in tokenizers:
        check_tokens(tokenizer, *drawn)
