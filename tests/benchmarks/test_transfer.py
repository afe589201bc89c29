"""Leave one out: who is left out has no say."""

import json

import pytest

from benchmarks import transfer
from benchmarks.transfer import CANDIDATES, candidates, choose, default, reported, scores, table
from infsplign.engine.config import PAPER
from infsplign.shipped import PRESETS


def measures(strict, uncond):
    names = ("OA", "cond", "uncond", "strict", "doubled")
    return {name: {"value": {"strict": strict, "uncond": uncond}.get(name, 0.5), "low": 0.0, "high": 1.0} for name in names}


def test_candidates_keep_the_layers_of_the_preset():
    for model, preset in PRESETS.items():
        found = candidates(model)
        assert set(found) == {"base", *CANDIDATES}
        assert all(config.layers == preset.config.layers for config in found.values())
        assert found[default(model)] == preset.config
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
    assert (default("shapes"), default("shapes-sd3")) == ("bound-0.15", "base")
    methods = reported("shapes", "bound-0.05", "bound-0.15")
    assert list(methods) == ["unguided", "paper", "bound-0.05", "bound-0.15"]
    assert (methods["unguided"], methods["paper"]) == (None, PAPER)
    assert reported("pictures-xl", "base", "base")["paper"].layers == PRESETS["pictures-xl"].config.layers
    quality = {name: measures(0.5, 0.75) for name in methods}
    text = table({"shapes": {"left_out": "bound-0.05", "own_best": "bound-0.15", "tune": quality, "heldout": quality}})
    assert "| `shapes` | left out | bound-0.05 |" in text
    assert "| `shapes` | own best | bound-0.15 |" in text
    assert "| bound-0.05 | 50.0 / 75.0 / 50.0 |" in text


def refused(monkeypatch, capsys, *options):
    monkeypatch.setattr("sys.argv", ["transfer", *map(str, options)])
    with pytest.raises(SystemExit):
        transfer.main()
    return capsys.readouterr().err


def test_a_single_model_is_an_error(monkeypatch, capsys, tmp_path):
    assert "at least two models" in refused(monkeypatch, capsys, "--models", "shapes", "--docs", tmp_path)


def test_models_that_were_measured_on_other_images_are_not_set_beside_new_ones(monkeypatch, capsys, tmp_path):
    (tmp_path / "transfer.json").write_text(json.dumps({"pictures": {"size": [28, 2]}}))
    told = refused(monkeypatch, capsys, "--models", "shapes", "--docs", tmp_path, "--prompts", 4)
    assert "`--prompts` and `--images` must be those of" in told
