"""The words on the buttons."""

import pytest

from infsplign.app.vocabulary import JOINING, PLACES, first_prompt, phrases, with_piece
from infsplign.prompts import parse_prompt
from infsplign.shipped import shipped


@pytest.mark.parametrize("model", [*shipped(), "owner/name"])
def test_buttons_make_prompts_that_are_read(model):
    assert parse_prompt(first_prompt(model)).relations
    if model in shipped():
        first, second, third = phrases(model)[:3]
        for relation in JOINING:
            prompt = with_piece(with_piece(with_piece("", first), relation), second)
            assert len(parse_prompt(prompt).relations) == 1
            assert len(parse_prompt(with_piece(with_piece(prompt, third), PLACES[1])).objects) == 3
        for place in PLACES:
            assert len(parse_prompt(with_piece(first, place)).relations) == 1
    else:
        assert all(parse_prompt(prompt).relations for prompt in phrases(model))
