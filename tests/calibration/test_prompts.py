"""Prompts of a calibration: built in, from a file, or given."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.calibration.prompts import built_in, pair_prompts, prompt_of, read_prompts_of
from infsplign.evaluation.prompts import PromptFileError, world_prompts
from infsplign.prompts import parse_prompt
from infsplign.shipped import world


def test_pairs_are_balanced_and_say_what_they_ask_for():
    listed = pair_prompts(count=24)
    assert len({p.text for p in listed}) == len({p.id for p in listed}) == 24
    assert set(Counter(p.relation for p in listed).values()) == {6}
    assert len({noun for p in listed for noun in (p.first, p.second)}) == 48
    for p in listed:
        (edge,) = parse_prompt(p.text).relations
        assert edge.relation.name == p.relation
    assert pair_prompts(count=24) == listed
    assert pair_prompts(count=12) == listed[:12]


def test_few_nouns_are_used_again():
    assert len(pair_prompts(["cat", "dog"], 5)) == 5
    assert all({p.first, p.second} == {"cat", "dog"} for p in pair_prompts(["cat", "dog", "cat"], 5))


@given(st.integers(2, 9), st.integers(1, 12))
def test_no_noun_comes_again_before_all_others_have_had_their_turn(nouns, count):
    """Of an odd number of them, one has no partner in each turn."""
    known = [f"noun{number}" for number in range(nouns)]
    listed, turn = pair_prompts(known, count), nouns // 2
    for start in range(0, count, turn):
        used = [noun for p in listed[start : start + turn] for noun in (p.first, p.second)]
        assert len(set(used)) == len(used)


@pytest.mark.parametrize("model", ["shapes", "shapes-sd3"])
def test_shipped_models_get_prompts_of_their_world_from_the_unused_half_of_tune(model):
    listed = built_in(model, 24)
    assert {p.first for p in listed} <= set(world("shapes").nouns)
    assert not {p.text for p in listed} & {p.text for p in world_prompts.prompts("tune", 140)}
    assert {p.text for p in listed} <= {p.text for p in world_prompts.prompts("tune", 280)}
    assert built_in("no/such", 3) == pair_prompts(count=3)


def test_a_file_of_prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("a cat to the left of a dog\n\nthree lamps above a table\n")
    with pytest.raises(PromptFileError, match="line 3"):
        path.write_text("a cat to the left of a dog\n\na lamp\n")
        read_prompts_of(path)
    path.write_text("a cat to the left of a dog\n\na lamp above a table\n")
    assert [(p.first, p.relation, p.second) for p in read_prompts_of(path)] == [("cat", "left of", "dog"), ("lamp", "above", "table")]
    path.write_text("\n")
    with pytest.raises(PromptFileError, match="empty|no prompt"):
        read_prompts_of(path)


def test_errors():
    with pytest.raises(ValueError, match="`nouns`"):
        pair_prompts(["cat", "cat"])
    with pytest.raises(ValueError, match="`count`"):
        pair_prompts(count=0)
    with pytest.raises(ValueError, match="`count` must be 1 to 140"):
        built_in("shapes", 141)
    with pytest.raises(ValueError, match="between two objects"):
        prompt_of("a cat in the centre", 0)


@pytest.mark.parametrize("listed", [False, True])
def test_a_file_of_json_is_read_as_other_commands_read_it(tmp_path, listed):
    """Its first line was read as a prompt: "words in quotes are text in the picture"."""
    rows = [{"id": "a", "text": "a cat left of a dog"}, {"id": "b", "text": "a lamp above a table", "first": "lamp"}]
    path = tmp_path / "prompts.jsonl"
    path.write_text(json.dumps(rows, indent=1) if listed else "".join(json.dumps(row) + "\n" for row in rows))
    assert [(p.first, p.relation, p.second) for p in read_prompts_of(path)] == [("cat", "left of", "dog"), ("lamp", "above", "table")]
    path.write_text(json.dumps({"id": "a", "text": "a lonely cow"}))
    with pytest.raises(PromptFileError, match="line 1: No relation between objects was found"):
        read_prompts_of(path)
