"""Runs that must not begin, or must stop: other settings, broken files, a folder or a disk that takes nothing."""

import json
import shutil

import pytest

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation.files import OutputError
from infsplign.evaluation.running.run_folder import SettingsError
from tests.evaluation.stub import StubSampler, contents, run


class TestRefusing:
    @pytest.mark.parametrize(
        ("change", "line"),
        [
            ({"split": "heldout"}, 'settings.split: "tune" there, "heldout" asked for'),
            ({"sampler": StubSampler(model="other")}, 'settings.model: "stub" there, "other" asked for'),
            ({"methods": {"infsplign": GuidanceConfig(scale=5.0)}}, "methods.infsplign.scale: 1000.0 there, 5.0 asked for"),
            ({"methods": {"infsplign": None}}, "methods.infsplign: "),
        ],
    )
    def test_other_settings(self, tmp_path, change, line):
        run(tmp_path, methods={"unguided": None, "infsplign": GuidanceConfig()})
        before = contents(tmp_path)
        with pytest.raises(SettingsError, match="other settings; choose another folder") as caught:
            run(tmp_path, **change)
        assert line in str(caught.value)
        assert contents(tmp_path) == before

    def test_other_versions(self, tmp_path, monkeypatch):
        run(tmp_path)
        monkeypatch.setattr("infsplign.__version__", "9.9")
        with pytest.raises(SettingsError, match=r'versions.infsplign: ".*" there, "9.9" asked for'):
            run(tmp_path)

    def test_results_without_a_manifest(self, tmp_path):
        run(tmp_path)
        (tmp_path / "manifest.json").unlink()
        with pytest.raises(SettingsError, match=r"holds unguided, infsplign of unknown settings, without manifest.json"):
            run(tmp_path)

    def test_scores_are_not_replaced(self, tmp_path):
        """`score` does not replace the results of a run; nor does a run those of scores."""
        (tmp_path / "results.json").write_text('{"label": "unguided"}')
        with pytest.raises(SettingsError, match=r"holds results.json of something else, such as scores, which would be replaced"):
            run(tmp_path)
        assert set(contents(tmp_path)) == {"results.json"}

    def test_results_of_a_method_that_the_manifest_does_not_name(self, tmp_path):
        """They were copied from another folder: nothing tells the options that they were made with."""
        here, other = tmp_path / "here", tmp_path / "other"
        run(here, methods={"unguided": None})
        run(other, methods={"infsplign": GuidanceConfig(scale=5.0)})
        shutil.copytree(other / "infsplign", here / "infsplign")
        shutil.copy(other / "infsplign.jsonl", here)
        before = contents(here)
        with pytest.raises(SettingsError, match=r"holds infsplign of unknown settings, which manifest.json does not name; move them away"):
            run(here, methods={"unguided": None, "infsplign": GuidanceConfig()})
        assert contents(here) == before
        run(here, methods={"unguided": None})

    @pytest.mark.parametrize("text", ["", "[]", '{"settings": ', '{"settings": null, "versions": {}, "methods": {}}', "\0" * 900])
    def test_case_32_a_broken_manifest_is_repaired_from_the_results(self, tmp_path, text):
        run(tmp_path)
        before = contents(tmp_path)
        (tmp_path / "manifest.json").write_text(text)
        run(tmp_path)
        assert contents(tmp_path) == before
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(SettingsError, match="other settings"):  # which are compared as before
            run(tmp_path, split="heldout")

    @pytest.mark.parametrize("cut", [0.0, 0.05, 0.9, 0.999])
    def test_case_32_a_manifest_cut_short_before_there_are_results(self, tmp_path, cut):
        """Its beginning tells settings and versions, or nothing tells how the images were made."""
        run(tmp_path)
        before = contents(tmp_path)
        (tmp_path / "results.json").unlink()
        whole = (tmp_path / "manifest.json").read_text()
        (tmp_path / "manifest.json").write_text(whole[: int(cut * len(whole))])
        if cut < 0.5:
            with pytest.raises(OutputError, match=r"is broken, as a power cut leaves it: .*; its images are whole, but nothing tells"):
                run(tmp_path)
            (tmp_path / "manifest.json").write_text(whole)
        run(tmp_path)
        assert contents(tmp_path) == before

    def test_case_32_another_manifest_cut_short_is_not_believed(self, tmp_path):
        run(tmp_path, StubSampler(model="other"))
        (tmp_path / "results.json").unlink()
        whole = (tmp_path / "manifest.json").read_text()
        (tmp_path / "manifest.json").write_text(whole[:-10])
        with pytest.raises(OutputError, match="is broken"):
            run(tmp_path)

    @pytest.mark.parametrize(
        ("part", "value"), [("methods", None), ("reduced", []), ("reduced", {"unguided": {"batch": "2"}}), ("methods", {"../up": None})]
    )
    def test_case_29_a_manifest_of_another_form(self, tmp_path, part, value):
        run(tmp_path)
        (tmp_path / "results.json").unlink()
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        (tmp_path / "manifest.json").write_text(json.dumps(manifest | {part: value}))
        with pytest.raises(OutputError, match="manifest.json' is broken"):
            run(tmp_path)

    def test_a_broken_line(self, tmp_path):
        run(tmp_path)
        lines = (tmp_path / "unguided.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / "unguided.jsonl").write_text(lines[0] + "{broken\n" + "".join(lines[2:]))
        with pytest.raises(OutputError, match=r"unguided.jsonl', line 2, is no record"):
            run(tmp_path)

    def test_a_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        sampler = StubSampler()
        with pytest.raises(OutputError, match=r"`--out` .* cannot be written"):
            run(tmp_path / "file" / "out", sampler)
        assert sampler.calls == []
        assert contents(tmp_path) == {"file": b"mine"}

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"images": 0}, "`images` must be a whole number >= 1"),
            ({"count": 0}, "`count` must be 1 to 280"),
            ({"batch": 0}, "`batch` must be a whole number >= 1"),
            ({"methods": {}}, "`methods` must name at least one"),
            ({"methods": {"../up": None}}, "letters, digits"),
            ({"split": "test"}, "`split` must be one of"),
        ],
    )
    def test_options_out_of_range(self, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            run(tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()

    def test_disk_full_is_a_clear_stop_and_the_run_goes_on_later(self, tmp_path, monkeypatch):
        run(tmp_path / "whole")
        real, written = shutil.os.replace, []

        def full_disk(source, target):
            written.append(target)
            if len(written) > 6:
                raise OSError(28, "No space left on device")
            real(source, target)

        monkeypatch.setattr("infsplign.evaluation.files.os.replace", full_disk)
        with pytest.raises(OutputError, match="No space left on device; what is done so far is kept"):
            run(tmp_path / "cut")
        monkeypatch.undo()
        run(tmp_path / "cut")
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
