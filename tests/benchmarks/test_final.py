"""The log of the final split, and what may be read at all."""

import json

import pytest

from benchmarks import final, measuring
from infsplign.engine.config import PAPER, RECOMMENDED, RECOMMENDED_JOINT
from infsplign.shipped import PRESETS


def test_every_reading_is_a_line_with_its_time_and_commit(tmp_path):
    log = tmp_path / "measured" / final.LOG
    for model in ("shapes", "shapes-sd3"):
        final.note(log, {"commit": "abc1234", "model": model})
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["model"] for line in lines] == ["shapes", "shapes-sd3"]
    assert all(line["commit"] == "abc1234" and line["read"].endswith("+00:00") for line in lines)


def test_files_that_are_not_committed_are_refused_before_anything_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(final, "commit", lambda: "abc1234+")
    monkeypatch.setattr(final, "measured", lambda *_, **__: pytest.fail("the split was read"))
    monkeypatch.setattr("sys.argv", ["final", "--docs", str(tmp_path)])
    with pytest.raises(SystemExit):
        final.main()
    assert "commit them first" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_methods_and_a_whole_reading(tmp_path, monkeypatch):
    RECOMMENDED.with_(max_shift=0.07).save(tmp_path / "calibration-shapes-sd3.json")
    methods = final.methods("shapes-sd3", tmp_path)
    assert tuple(methods) == (*final.METHODS, "preset")
    assert methods["preset"] == PRESETS["shapes-sd3"].config  # it names its layers
    assert (methods["unguided"], methods["default"], methods["paper"]) == (None, RECOMMENDED_JOINT, PAPER)
    assert methods["calibrated"].max_shift == 0.07
    with pytest.raises(OSError, match="calibration-shapes.json"):
        final.methods("shapes", tmp_path)
    asked = {}

    def measured(model, chosen, out, **options):
        asked.update(options)
        return {name: {measure: {"value": 0.5, "low": 0.4, "high": 0.6} for measure in final.SHOWN} for name in chosen}

    monkeypatch.setattr(final, "measured", measured)
    monkeypatch.setattr(final, "commit", lambda: "abc1234")
    monkeypatch.setattr("sys.argv", ["final", "--models", "shapes-sd3", "--docs", str(tmp_path), "--prompts", "2", "--images", "1"])
    final.main()
    assert asked["split"] == "final"
    assert "| `shapes-sd3` | default | 50.0 [40.0, 60.0] |" in (tmp_path / "final.md").read_text("utf-8")
    assert json.loads((tmp_path / final.LOG).read_text("utf-8"))["commit"] == "abc1234"


def test_models_that_are_not_installed_are_left_out():
    assert measuring.here(["shapes", "no-such"]) == ["shapes"]
    with pytest.raises(ValueError, match="`--models` must name at least one of"):
        measuring.here(["no-such"])


def test_a_model_without_the_layers_of_its_family_reads_those_of_its_preset(tmp_path):
    RECOMMENDED.save(tmp_path / "calibration-pictures-xl.json")
    methods = final.methods("pictures-xl", tmp_path)
    assert methods["default"].layers == methods["paper"].layers == PRESETS["pictures-xl"].config.layers
    assert tuple(methods) == final.METHODS
    assert methods["calibrated"].layers is None
