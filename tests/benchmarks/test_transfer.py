"""Leave one out: who is left out has no say."""

import pytest

from benchmarks import transfer
from benchmarks.transfer import CANDIDATES, candidates, choose, reported, scores, table
from infsplign.engine.config import PAPER, RECOMMENDED
from infsplign.shipped import PRESETS


def measures(strict, uncond):
    names = ("OA", "cond", "uncond", "strict", "doubled")
    return {name: {"value": {"strict": strict, "uncond": uncond}.get(name, 0.5), "low": 0.0, "high": 1.0} for name in names}


def test_candidates_keep_the_layers_of_the_preset():
    for model, preset in PRESETS.items():
        found = candidates(model)
        assert set(found) == {"recipe", *CANDIDATES}
        assert all(config.layers == preset.config.layers for config in found.values())
        assert found["recipe"] == RECOMMENDED.with_(layers=preset.config.layers)
        assert len(set(map(str, found.values()))) == len(found)


def test_scores_are_parts_of_the_best_so_that_models_count_alike():
    low = scores({"a": measures(0.1, 0.2), "b": measures(0.05, 0.2)})
    high = scores({"a": measures(0.8, 0.9), "b": measures(0.4, 0.9)})
    assert low == pytest.approx(high)
    assert low == pytest.approx({"a": 1.0, "b": 0.75})
    assert scores({"a": measures(0.0, None)}) == {"a": 0.0}


def test_the_model_left_out_does_not_choose():
    found = {"one": {"a": 1.0, "b": 0.2}, "two": {"a": 0.3, "b": 1.0}, "three": {"a": 0.6, "b": 0.9}}
    assert choose(found, ["one", "two"]) == "a"
    assert choose(found, ["two", "three"]) == "b"
    assert choose(found, ["one"]) == "a"
    with pytest.raises(ValueError, match="at least one other model"):
        choose(found, [])


def test_what_is_reported_and_its_table():
    methods = reported("shapes", "bound-0.05", "recipe")
    assert list(methods) == ["unguided", "paper", "bound-0.05", "recipe"]
    assert (methods["unguided"], methods["paper"]) == (None, PAPER)
    quality = {name: measures(0.5, 0.75) for name in methods}
    text = table({"shapes": {"left_out": "bound-0.05", "own_best": "recipe", "tune": quality, "heldout": quality}})
    assert "| `shapes` | left out | bound-0.05 |" in text
    assert "| `shapes` | own best | recipe |" in text
    assert "| bound-0.05 | 50.0 / 75.0 / 50.0 |" in text


def test_a_single_model_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["transfer", "--models", "shapes"])
    with pytest.raises(SystemExit):
        transfer.main()
    assert "at least two models" in capsys.readouterr().err
