"""The phrasings of VISOR, T2I-CompBench and GenEval. `python -m benchmarks.parsing` counts the whole of each set."""

import hashlib
from pathlib import Path

import pytest

from benchmarks import readings
from benchmarks.parsing import failure, main
from infsplign.evaluation.prompts import BenchmarkPrompt, read_geneval, read_t2i, spatial, sr2d

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PHRASINGS = [
    ("an airplane to the left of an umbrella", "airplane", "left of", "umbrella"),
    ("a hair drier to the right of a stop sign", "hair drier", "right of", "stop sign"),
    ("a photo of a wine glass above a kite", "wine glass", "above", "kite"),
    ("a photo of an orange below a hot dog", "orange", "below", "hot dog"),
    ("a mouse on side of a key", "mouse", "near", "key"),
    ("a bird next to a airplane", "bird", "near", "airplane"),
    ("a girl near a bowl", "girl", "near", "bowl"),
    ("a cow on the top of a lamp", "cow", "above", "lamp"),
    ("a cow on the bottom of a lamp", "cow", "below", "lamp"),
    ("a cow on the left of a lamp", "cow", "left of", "lamp"),
    ("a cow on the right of a lamp", "cow", "right of", "lamp"),
]


@pytest.mark.parametrize(("text", "first", "name", "second"), PHRASINGS)
def test_phrasings(text, first, name, second):
    assert failure(BenchmarkPrompt("0", text, first, name, second)) is None


def test_every_hundredth_prompt_of_sr2d():
    prompts = spatial(sr2d())
    assert len(prompts) == 25_280
    assert [wrong for prompt in prompts[::101] if (wrong := failure(prompt))] == []


def test_a_failure_is_seen_and_listed(monkeypatch, capsys):
    assert failure(BenchmarkPrompt("0", "a cat left of a dog", "dog", "left of", "cat")).endswith("meant is ('dog', 'left of', 'cat')")
    assert "is not understood" in failure(BenchmarkPrompt("0", "a cat behind a dog", "cat", "left of", "dog"))
    monkeypatch.setattr("benchmarks.parsing.sr2d", lambda: [BenchmarkPrompt("0", "a cat above a dog", "cat", "below", "dog")])
    assert main([]) == 1
    assert "1 prompts,      0 read as meant, 1 not" in capsys.readouterr().out


@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data")
@pytest.mark.parametrize(("read", "name", "count"), [(read_t2i, "t2i_spatial_val.txt", 300), (read_geneval, "geneval_position.jsonl", 100)])
def test_whole_sets(read, name, count):
    prompts = read(DATA / name)
    assert len(prompts) == count
    assert [wrong for prompt in prompts if (wrong := failure(prompt))] == []


@pytest.mark.parametrize("half", readings.SETS)
def test_everyday_prompts_are_read_within_the_limits(half):
    assert readings.within_limits(half)


def test_the_halves_are_split_by_a_hash():
    for number, half in enumerate(readings.HALVES):
        prompts = [row.prompt for row in readings.rows(half)]
        assert len(prompts) > 250
        assert {int(hashlib.sha256(prompt.encode()).hexdigest(), 16) % 2 for prompt in prompts} == {number}


def test_outcomes():
    left, above = [["cat", "left of", "dog"]], [["cat", "above", "dog"]]
    row = readings.Row("", "", (left,), None)
    assert [readings.outcome(row, read) for read in (left, above, None)] == ["right", "wrong", "refused"]
    assert readings.outcome(readings.Row("", "", (), "no relation"), None) == "right"
    assert readings.outcome(readings.Row("", "", (), "no relation"), left) == "wrong"
    assert readings.rates([(row, "right"), (row, "wrong"), (row, "refused"), (readings.Row("", "", (), "unclear"), "right")]) == (
        1 / 4,
        1 / 3,
    )
