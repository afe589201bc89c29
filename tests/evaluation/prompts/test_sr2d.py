"""SR2D: the counts and ids of the published set, and what a broken copy of it says."""

import json
from collections import Counter
from itertools import combinations

import pytest

from infsplign.evaluation.prompts import PromptFileError, published, read_sr2d, spatial, sr2d
from infsplign.evaluation.prompts.coco import COCO
from infsplign.prompts import parse_prompt

PROMPTS = sr2d()
ROWS = published(PROMPTS)


def test_as_many_as_published():
    assert len(PROMPTS) == 31_680
    assert len(spatial(PROMPTS)) == 25_280
    assert Counter(p.relation for p in PROMPTS) == {
        "left of": 6320, "right of": 6320, "above": 6320, "below": 6320, "and": 6320, "single": 80,
    }  # fmt: skip


def test_ids_are_the_places_in_the_list():
    assert [p.id for p in PROMPTS] == [str(number) for number in range(31_680)]
    assert [row["unique_id"] for row in ROWS] == list(range(31_680))


def test_ids_by_the_published_formula():
    relations = ("to the left of", "to the right of", "above", "below")
    for k, pair in list(enumerate(combinations(COCO, 2)))[::97]:
        for r, relation in enumerate(relations):
            for exchanged in (0, 1):
                row = ROWS[10 * k + 2 * r + exchanged]
                assert (row["obj_1_attributes"], row["obj_2_attributes"]) == ([pair[exchanged]], [pair[1 - exchanged]])
                assert row["rel_type"] == relation
        assert [ROWS[10 * k + n]["text"].split(" and ")[0].split(" ", 1)[1] for n in (8, 9)] == list(pair)
    assert [row["obj_1_attributes"][0] for row in ROWS[31_600:]] == list(COCO)


def test_rows_by_hand():
    assert ROWS[0] == {
        "unique_id": 0, "num_objects": 2, "obj_1_attributes": ["person"], "obj_2_attributes": ["bicycle"],
        "rel_type": "to the left of", "text": "a person to the left of a bicycle",
    }  # fmt: skip
    assert (ROWS[8]["text"], ROWS[8]["rel_type"]) == ("a person and a bicycle", "and")
    assert ROWS[-1] == {
        "unique_id": 31_679, "num_objects": 1, "obj_1_attributes": ["toothbrush"], "obj_2_attributes": [None],
        "rel_type": "single", "text": "a toothbrush",
    }  # fmt: skip


def test_an_before_six_names_alone():
    singles = [p.text for p in PROMPTS if p.relation == "single"]
    assert sorted(text[3:] for text in singles if text.startswith("an ")) == ["airplane", "apple", "elephant", "orange", "oven", "umbrella"]
    assert all(text.startswith(("a ", "an ")) for text in singles)


def test_coco_has_80_different_names():
    assert len(set(COCO)) == len(COCO) == 80
    assert (COCO[0], COCO[10], COCO[62], COCO[79]) == ("person", "fire hydrant", "tv", "toothbrush")


def test_texts_differ():
    assert len({p.text for p in PROMPTS}) == len(PROMPTS)


@pytest.mark.parametrize("prompt", spatial(PROMPTS)[::1013], ids=lambda p: p.id)
def test_guidance_reads_what_the_prompt_asks(prompt):
    scene = parse_prompt(prompt.text)
    assert scene.objects == (prompt.first, prompt.second)
    assert scene.relations[0].relation.name == prompt.relation


def test_read_back(tmp_path):
    path = tmp_path / "sr2d.json"
    path.write_text(json.dumps(ROWS[::9]))
    assert read_sr2d(path) == PROMPTS[::9]


GOOD = ROWS[0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "expected a JSON list"),
        ([], "expected a JSON list"),
        ([GOOD, 3], "row 2: .*unique_id.* is missing"),
        ([{k: v for k, v in GOOD.items() if k != "rel_type"}], "row 1: .*; rel_type is missing"),
        ([GOOD | {"unique_id": "0"}], "row 1: expected `unique_id`"),
        ([GOOD | {"unique_id": True}], "row 1: expected `unique_id`"),
        ([GOOD | {"num_objects": 3}], "row 1: expected `num_objects` to be 1 or 2, got 3"),
        ([GOOD | {"rel_type": "behind"}], "row 1: `relation` is unknown: got 'behind'"),
        ([GOOD | {"rel_type": None}], "row 1: `relation` is unknown"),
        ([GOOD | {"obj_1_attributes": "person"}], "row 1: expected `obj_1_attributes` to be a list of one name"),
        ([GOOD | {"obj_2_attributes": [None]}], "row 1: expected `obj_2_attributes`"),
        ([GOOD | {"text": 5}], "row 1: expected `text`"),
        ([GOOD | {"rel_type": "above"}], "row 1: the prompt .* asks for .*left of.*, and the row for .* above "),
        ([GOOD | {"text": " "}], "row 1: `text` must not be empty"),
        ([GOOD, GOOD], "prompts 1 and 2 have the same id '0'"),
    ],
)
def test_broken_copies_are_refused_by_row(value, message, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(value))
    with pytest.raises(PromptFileError, match=message):
        read_sr2d(path)


def test_broken_json_is_refused_by_line(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("[\n{},\n{]")
    with pytest.raises(PromptFileError, match="broken.json.*line 3"):
        read_sr2d(path)
