"""Text and JSON that anyone may have written: every fault is one line."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infsplign.evaluation.reading import DEPTH, member, parse_json, read_text, short

NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="utf-8")),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), v, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_json_writes_is_read(value, ascii_only):
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with suppress(ValueError):
        assert json.loads(text) == parse_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested more than 64 deep"),
        ('{"a":' * 100_000, "nested more than 64 deep"),
        ("[" * 65 + "]" * 65, "nested more than 64 deep"),
        ("[1" + "0" * 400 + "]", "too large"),
        ("1" + "0" * 5000, "thousands of digits"),
        ('{"a": [1e999]}', "too large"),
        ('{"images": {"cat_0": 1, "cat_0": 2}}', "'cat_0' is given twice"),
        ('{"digits": 1, "digits": 2}', "'digits' is given twice"),
        ("[-1E+999]", "too large"),
        ("[NaN]", "NaN is no number of JSON"),
        ("-Infinity", "-Infinity is no number"),
        ('["\\ud800"]', "lone surrogate"),
        ('{"\\uDFFF": 1}', "lone surrogate"),
        ("", "Expecting value"),
    ],
)
def test_case_29_what_no_program_can_hold(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_what_looks_unusual_and_is_not():
    deep = "[" * DEPTH + "]" * DEPTH
    text = json.dumps(["\U0001f600", "ffe123" * 60, "1" * 400, "\\ud800", 1e300, 10**300]) + "\n"
    assert "\\ud83d\\ude00" in text  # a pair of surrogates is one character
    assert parse_json(text)[0] == "\U0001f600"
    assert parse_json(deep)
    assert parse_json('"\\ud800"', surrogates=True) == "\ud800"


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"\xef\xbb\xbfa\r\nb", "a\nb"), (b"a\rb", "a\nb"), ("a\u2028b\x85c".encode(), "a\u2028b\x85c"), (b"", "")],
)
def test_case_28_marks_and_line_ends(tmp_path, data, expected):
    (tmp_path / "f").write_bytes(data)
    assert read_text(tmp_path / "f") == expected


@pytest.mark.parametrize(
    ("data", "message"), [(b"\xff\xfea\0", "in UTF-16"), (b"a\xff", "no text in UTF-8"), (b"\xed\xa0\x80", "no text in UTF-8")]
)
def test_no_utf_8(tmp_path, data, message):
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_text(tmp_path / "f")


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_devices_are_no_files(path):
    with pytest.raises(ValueError, match="is a device"):
        read_text(Path(path))


@pytest.mark.parametrize(
    ("row", "kinds", "message"),
    [
        ([], (int,), "expected an object with `a`, got \\[\\]"),
        ({}, (int,), "`a` is missing"),
        ({"a": True}, (int,), "expected `a` to be a whole number, got True"),
        ({"a": True}, (float,), "expected `a` to be a number, got True"),
        ({"a": None}, (dict, str), "expected `a` to be an object or a text, got None"),
        ({"a": "x" * 1000}, (list, None), r"expected `a` to be a list or null, got 'x.*\.\.\. \(1002 characters\)"),
    ],
)
def test_members_of_other_kinds(row, kinds, message):
    with pytest.raises(ValueError, match=message):
        member(row, "a", *kinds)


def test_members():
    row = {"a": 1, "b": None}
    assert member(row, "a", float) == 1
    assert member(row, "b", str, None) is None
    assert member(row, "c", str, missing=True) is None
    assert short("x") == "'x'"
