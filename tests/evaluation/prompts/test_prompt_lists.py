"""Lists of prompts for a run, as people write them."""

import json

import pytest

from infsplign.evaluation.prompts.prompt_lists import ListedPrompt, benchmark_prompts, filled_prompt

OBJECTS = {"num_objects": 2, "obj_1_attributes": ["cat"], "obj_2_attributes": ["dog"]}
ROW = OBJECTS | {"unique_id": 7, "rel_type": "above", "text": "a cat above a dog"}


def read(folder, data):
    path = folder / "prompts.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return benchmark_prompts(path)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_case_28_a_byte_order_mark_and_ends_of_lines(tmp_path, mark, end):
    lines = [json.dumps(ROW).encode(), b"", json.dumps(ROW | {"unique_id": 8}).encode(), b""]
    assert [p.id for p in read(tmp_path, mark + end.join(lines))] == ["7", "8"]
    assert [p.id for p in read(tmp_path, mark + json.dumps([ROW]).encode())] == ["7"]


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_case_28_separators_within_a_text_end_no_line(tmp_path, char):
    text = f"a cat above{char}a dog" if char >= " " else "a cat above a dog"
    (found,) = read(tmp_path, json.dumps(ROW | {"text": text}, ensure_ascii=False))
    assert found.text == text


def test_case_28_half_of_a_character_is_left_to_the_run(tmp_path):
    (found,) = read(tmp_path, '{"id": "a", "text": "a cat \\ud800 above a dog"}')
    assert found.text == "a cat \ud800 above a dog"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obj_1_attributes": 5}, "expected `obj_1_attributes` to be a list or null, got 5"),
        ({"obj_2_attributes": [5]}, "expected `obj_2_attributes` to be a list of one name"),
        ({"obj_1_attributes": {"a": 1}}, "expected `obj_1_attributes`"),
        ({"unique_id": None}, "expected `unique_id` to be a whole number or a text"),
        ({"unique_id": 1.5}, "expected `unique_id`"),
        ({"unique_id": True}, "expected `unique_id`"),
        ({"text": None}, "expected `text` to be a text"),
        ({"text": "  "}, "`text` must not be empty"),
        ({"rel_type": ["above"]}, "expected `rel_type` to be a text or null"),
        ({"first": 5, "obj_1_attributes": None}, "expected `first` to be a text or null"),
    ],
)
def test_case_28_members_of_other_kinds(tmp_path, change, message):
    with pytest.raises(ValueError, match=rf"`--prompts` .*prompts.json', row 2, must have `unique_id` \(or `id`\) and `text`: {message}"):
        read(tmp_path, json.dumps([ROW, ROW | change]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no prompt with a relation"),
        (b"[]", "holds no prompt with a relation"),
        (b"[1]", "row 1, must have .*: expected an object with `id`, got 1"),
        (b"{", "line 1, is neither a JSON list nor JSON lines"),
        (b"\n\n{}\n{", "line 4, is neither"),
        (b"[" * 100_000, "nested more than"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b"\xff", "no text in UTF-8"),
    ],
)
def test_case_28_files_that_are_none(tmp_path, data, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, data)


def test_a_row_that_contradicts_its_prompt_is_refused(tmp_path):
    with pytest.raises(ValueError, match="row 2: the prompt 'a cat above a dog' asks for 'cat above dog', and the row for 'cat below dog'"):
        read(tmp_path, json.dumps([ROW, ROW | {"unique_id": 8, "rel_type": "below"}]))


def test_fields_that_are_not_read_are_told(tmp_path):
    """Its relations and its seed would be taken for read."""
    path = tmp_path / "prompts.jsonl"
    row = {"id": "a", "text": "a cat left of a dog", "seed": 3, "relations": [["cat", "right of", "dog"]]}
    path.write_text(json.dumps(row) + "\n" + json.dumps({"id": "b", "text": "a cat left of a dog", "first": "cat", "extra": {}}))
    with pytest.warns(UserWarning, match="the rows' 'relations', 'seed' are not read$"):
        assert len(benchmark_prompts(path)) == 2


def test_rows_that_say_no_relation_are_told(tmp_path):
    rows = [{"id": "a", "text": "a cat left of a dog", "relation": ""}, {"id": "b", "text": "a cat and a dog", "relation": "and"}]
    with pytest.warns(UserWarning, match="1 of 2 prompts say no relation and are left out$"):
        (kept,) = read(tmp_path, json.dumps(rows))
    assert kept.id == "a", "an empty field says nothing, and the text says a relation"


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"first": "cat", "second": "dog"}, ("cat", "left of", "dog")),
        ({"first": "dog", "second": "cat"}, ("cat", "left of", "dog")),
        ({"first": "Cat"}, ("Cat", "left of", "dog")),
        ({"relation": "on the left of"}, ("red cats", "left of", "dog")),
        ({"relation": "near"}, ("red cats", "left of", "dog")),
        ({}, ("red cats", "left of", "dog")),
    ],
)
def test_what_a_row_says_is_taken_and_the_rest_is_read(row, found):
    prompt = filled_prompt(ListedPrompt("a", "red cats to the left of a dog", **row))
    assert (prompt.first, prompt.relation, prompt.second) == found


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"first": "lion", "second": "dog"}, "`first` 'lion', `second` 'dog'"),
        ({"second": "wolf"}, "`second` 'wolf'"),
        ({"relation": "right of"}, "`relation` 'right of'"),
        ({"first": "cat", "relation": "above"}, "`first` 'cat', `relation` 'above'"),
    ],
)
def test_a_row_that_says_a_part_and_another_one_is_refused(row, said):
    """It was read from the text alone: the names that a detector was to look for, or the relation, were lost."""
    with pytest.raises(ValueError, match=f"reads as 'red cats left of dog', and its row says {said}; give `first`, `relation`"):
        filled_prompt(ListedPrompt("a", "red cats to the left of a dog", **row))
