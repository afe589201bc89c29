"""Runs of any list of prompts: seeds, names of files, memory that runs out, images that fail, a folder that another run has."""

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import files
from infsplign.evaluation.files import OutputError
from infsplign.evaluation.running.images_run import make_benchmark, seed_of
from infsplign.evaluation.running.job import Task
from infsplign.evaluation.running.method_folder import MethodFolder
from infsplign.evaluation.running.run_folder import SettingsError
from infsplign.evaluation.running.runner import FailedError, run_tasks
from tests.evaluation.noise import LISTED, Listed, NoiseSampler
from tests.evaluation.stub import contents


class TracingSampler(NoiseSampler):
    keep_traces = True

    def __call__(self, texts, seeds, config):
        images = super().__call__(texts, seeds, config)
        self.traces = [[{"step": 0, "seed": seed}] for seed in seeds] if config else []
        return images


METHODS = {"unguided": None, "infsplign": GuidanceConfig()}


def run(out: Path, sampler=None, prompts=LISTED[:5], **options):
    options = {"images": 2, "batch": 4, "methods": METHODS, "progress": False} | options
    return make_benchmark("sr2d", prompts, sampler or NoiseSampler(), out, **options)


def test_numbers_of_numpy_and_prompts_from_a_generator(tmp_path):
    """They ended in a TypeError when all images were made, and in a run of nothing."""
    one = run(tmp_path / "one", prompts=LISTED[:3], images=1)
    other = run(tmp_path / "other", prompts=(prompt for prompt in LISTED[:3]), images=np.int64(1), batch=np.int64(4))
    assert one == other
    assert len(list((tmp_path / "other" / "unguided").glob("*.png"))) == 3


@pytest.mark.parametrize("number", [0, -1, 1.0, "1", None])
@pytest.mark.parametrize("name", ["images", "batch"])
def test_other_numbers_are_refused(tmp_path, name, number):
    with pytest.raises(ValueError, match=f"`{name}` must be a whole number >= 1, got {number!r}"):
        run(tmp_path, **{name: number})


def records(out: Path, method: str = "unguided") -> list[dict]:
    return [json.loads(line) for line in (out / f"{method}.jsonl").read_text().splitlines()]


class TestFilesAndSeeds:
    def test_files_are_named_by_id_and_index(self, tmp_path):
        results = run(tmp_path, prompts=[Listed("7", 'a "cat" / left of\na dog' + "!" * 500)], methods={"unguided": None})
        assert sorted(contents(tmp_path)) == ["manifest.json", "results.json", "unguided.jsonl", "unguided/7_00.png", "unguided/7_01.png"]
        assert (results["prompts"], results["images"], results["failed"]) == (1, 2, {})
        assert json.loads((tmp_path / "results.json").read_text()) == results

    def test_manifest_tells_what_decides_an_image(self, tmp_path):
        run(tmp_path)
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        assert manifest["settings"] == {"benchmark": "sr2d", "images": 2, "batch": 4, "model": "noise"}
        assert set(manifest["versions"]) == {"infsplign", "torch", "diffusers", "transformers", "numpy", "pillow"}
        assert manifest["methods"]["unguided"] is None
        assert manifest["methods"]["infsplign"]["scale"] == 1000.0

    def test_a_seed_is_that_of_its_prompt_and_index_alone(self, tmp_path):
        run(tmp_path / "one", batch=3, images=3)
        run(tmp_path / "other", prompts=LISTED[4::-1], batch=7, methods={"infsplign": None})
        runs = (("one", "unguided"), ("other", "infsplign"))
        one, other = ({r["key"]: r["seed"] for r in records(tmp_path / name, method)} for name, method in runs)
        assert other == {key: seed for key, seed in one.items() if not key.endswith("_02")}
        assert one["20_01"] == seed_of("sr2d", "20", 1)

    def test_seeds_differ(self):
        drawn = [seed_of(name, str(number), index) for name in ("sr2d", "t2i") for number in range(100) for index in range(4)]
        assert len(set(drawn)) == len(drawn)
        assert all(0 <= seed < 2**32 for seed in drawn)

    @pytest.mark.parametrize("bad", ["../up", "", "a b", ".hidden", "0"])
    def test_ids_that_cannot_name_a_file(self, tmp_path, bad):
        with pytest.raises(ValueError, match="ids of `prompts` must differ and name a file"):
            run(tmp_path / "out", prompts=[Listed("0", "a"), Listed(bad, "b")])
        assert not (tmp_path / "out").exists()

    def test_longer_lists_keep_what_is_there(self, tmp_path):
        run(tmp_path, prompts=LISTED[:4])
        before, more = contents(tmp_path / "unguided"), NoiseSampler()
        run(tmp_path, more, prompts=LISTED[:8])
        assert len(more.calls) == 2 * 2
        assert before.items() < contents(tmp_path / "unguided").items()
        run(tmp_path / "at once", prompts=LISTED[:8])
        assert contents(tmp_path / "at once") == {k: v for k, v in contents(tmp_path).items() if not k.startswith("at once")}

    @pytest.mark.parametrize("change", [{"images": 3}, {"batch": 8}])
    def test_what_decides_the_neighbours_is_kept(self, tmp_path, change):
        run(tmp_path)
        with pytest.raises(SettingsError, match=f"settings.{next(iter(change))}: "):
            run(tmp_path, **change)

    @pytest.mark.parametrize("methods", [METHODS, {"infsplign": METHODS["infsplign"]}])
    def test_other_prompts_under_the_same_ids_are_refused(self, tmp_path, methods):
        run(tmp_path, methods={"unguided": None})
        before, others = contents(tmp_path), [Listed(each.id, each.text.replace("left", "right")) for each in LISTED[:5]]
        with pytest.raises(SettingsError, match=r"images of other prompts: unguided/0_00.png is of 'a cat 0 to the left of a dog', asked"):
            run(tmp_path, sampler := NoiseSampler(), prompts=others, methods=methods)
        assert sampler.calls == []
        kept = {name: data for name, data in contents(tmp_path).items() if name.startswith("unguided")}
        assert kept == {name: data for name, data in before.items() if name.startswith("unguided")}

    def test_an_image_that_is_removed_may_be_of_another_prompt(self, tmp_path):
        run(tmp_path)
        for method in METHODS:
            for index in range(2):
                (tmp_path / method / f"0_{index:02d}.png").unlink()
        changed = [Listed("0", "a dog above a cat"), *LISTED[1:5]]
        run(tmp_path, prompts=changed)
        run(tmp_path / "at once", prompts=changed)
        for name in ("unguided/0_00.png", "infsplign/0_01.png"):
            assert (tmp_path / name).read_bytes() == (tmp_path / "at once" / name).read_bytes()
        assert [record["prompt"] for record in records(tmp_path)[:2]] == ["a dog above a cat"] * 2

    @pytest.mark.parametrize("bad", ["x" * 245, "é" * 130, "x" * 242])
    def test_case_28_ids_that_are_too_long_are_found_before_sampling(self, tmp_path, bad):
        sampler = NoiseSampler()
        with pytest.raises(ValueError, match=r"must be at most 241 bytes, got \d+: 'x|é"):
            run(tmp_path / "out", sampler, prompts=[Listed("0", "a"), Listed(bad, "b")])
        assert sampler.calls == []
        assert not (tmp_path / "out").exists()

    def test_case_28_the_longest_id_has_room_for_all_of_its_files(self, tmp_path):
        run(tmp_path, TracingSampler(), prompts=[Listed("x" * 241, "a")], images=1)
        assert (tmp_path / "infsplign" / f"{'x' * 241}_00.trace.json").is_file()

    def test_case_28_paths_that_are_too_long_are_found_before_sampling(self, tmp_path):
        out = tmp_path
        while len(str(out)) < 4096 - 300:
            out /= "d" * 100
        sampler = NoiseSampler()
        with pytest.raises(OutputError, match="cannot be named in .*File name too long"):
            run(out / ("d" * 60), sampler, prompts=[Listed("x" * 241, "a")])
        assert sampler.calls == []


class TestTraces:
    """Case 34."""

    def traces(self, out):
        return sorted(path.name for path in (out / "infsplign").glob("*.trace.json"))

    def test_case_34_traces_that_are_asked_for_later_are_made(self, tmp_path):
        run(tmp_path / "whole", TracingSampler())
        run(tmp_path / "later")
        assert self.traces(tmp_path / "later") == []
        run(tmp_path / "later", TracingSampler())
        assert contents(tmp_path / "later") == contents(tmp_path / "whole")
        assert len(self.traces(tmp_path / "later")) == 10
        assert list((tmp_path / "later" / "unguided").glob("*.trace.json")) == []

    @pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text('[{"step"'), lambda path: path.write_text("")])
    def test_case_34_a_trace_that_is_missing_is_made_again(self, tmp_path, spoil):
        run(tmp_path, TracingSampler())
        before = contents(tmp_path)
        spoil(tmp_path / "infsplign" / "20_01.trace.json")
        again = TracingSampler()
        run(tmp_path, again)
        assert len(again.calls) == 1  # its group
        assert contents(tmp_path) == before
        assert run(tmp_path, last := TracingSampler())["failed"] == {}
        assert last.calls == []


class TestMemory:
    def test_batches_are_halved_and_it_is_said(self, tmp_path):
        run(tmp_path, NoiseSampler(room=2))
        assert [record["batch"] for record in records(tmp_path)] == [2] * 10
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        assert manifest["reduced"]["unguided"]["batch"] == 2
        assert "out of memory" in manifest["reduced"]["infsplign"]["why"]

    @pytest.mark.parametrize("dies_at", [1, 2, 3, 5, 6, 7, 8, 11])
    def test_a_run_that_goes_on_remembers(self, tmp_path, dies_at):
        run(tmp_path / "whole", NoiseSampler(room=2))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", NoiseSampler(room=2, dies_at=dies_at))
        run(tmp_path / "cut", NoiseSampler(room=2))
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

    def test_an_image_lost_later_is_made_as_it_was(self, tmp_path):
        """Memory ran out in the middle of the run; what was made before that had more neighbours, and gets them again."""

        class Shrinking(NoiseSampler):
            def __call__(self, texts, seeds, config):
                self.room = 2 if len(self.calls) >= 2 else 100
                return super().__call__(texts, seeds, config)

        run(tmp_path, Shrinking(), prompts=LISTED[:8])
        assert [record["batch"] for record in records(tmp_path)] == [4] * 8 + [2] * 8
        before = contents(tmp_path)
        for key in ("10_01", "60_00"):
            (tmp_path / "unguided" / f"{key}.png").unlink()
        run(tmp_path, prompts=LISTED[:8])
        assert contents(tmp_path) == before


class TestFailures:
    BAD = LISTED[2].text

    def test_one_bad_prompt_costs_its_own_images(self, tmp_path):
        results = run(tmp_path, NoiseSampler(bad=[self.BAD]))
        assert results["failed"] == {"unguided": ["20_00", "20_01"], "infsplign": ["20_00", "20_01"]}
        (first, _) = json.loads((tmp_path / "unguided.failed.json").read_text())
        assert first == {"key": "20_00", "prompt": self.BAD, "seed": seed_of("sr2d", "20", 0), "error": "ValueError: a bad prompt"}
        assert len(records(tmp_path)) == 8

    def test_it_is_tried_again_and_forgotten_when_it_succeeds(self, tmp_path):
        run(tmp_path, NoiseSampler(bad=[self.BAD]))
        again = NoiseSampler(bad=[self.BAD])
        run(tmp_path, again)
        assert again.calls  # still bad
        results = run(tmp_path)
        assert results["failed"] == {}
        assert not list(tmp_path.glob("*.failed.json"))
        run(tmp_path / "good")
        good = contents(tmp_path / "good" / "unguided")
        for key in ("20_00", "20_01"):  # made with the neighbours that they would have had
            assert (tmp_path / "unguided" / f"{key}.png").read_bytes() == good[f"{key}.png"]

    def test_case_34_failures_that_are_not_asked_for_any_more_are_forgotten(self, tmp_path):
        run(tmp_path, NoiseSampler(bad=[self.BAD]))
        assert (tmp_path / "unguided.failed.json").exists()
        results = run(tmp_path, NoiseSampler(bad=[self.BAD]), prompts=LISTED[:2])
        assert results["failed"] == {}
        assert not list(tmp_path.glob("*.failed.json"))
        assert run(tmp_path, NoiseSampler(bad=[self.BAD]))["failed"]["unguided"] == ["20_00", "20_01"]

    def test_case_34_failures_of_images_that_are_there_are_forgotten(self, tmp_path):
        """As a kill leaves them, between the record of an image and the file of failures."""
        run(tmp_path, NoiseSampler(bad=[self.BAD]))
        stale = (tmp_path / "unguided.failed.json").read_bytes()
        run(tmp_path)
        (tmp_path / "unguided.failed.json").write_bytes(stale)
        assert run(tmp_path)["failed"] == {}
        assert not list(tmp_path.glob("*.failed.json"))

    def test_case_28_half_of_a_character_is_a_failed_image(self, tmp_path):
        class Encoding(NoiseSampler):
            def __call__(self, texts, seeds, config):
                for text in texts:
                    text.encode()
                return super().__call__(texts, seeds, config)

        for _ in range(2):
            results = run(tmp_path, Encoding(), prompts=[*LISTED[:3], Listed("half", "a cat \ud800 left of a dog")], images=1)
            assert results["failed"] == {name: ["half_00"] for name in METHODS}
        (failure,) = json.loads((tmp_path / "unguided.failed.json").read_text("utf-8"))
        assert failure["prompt"] == "a cat \ud800 left of a dog"
        assert failure["error"].startswith("UnicodeEncodeError: ")

    def test_when_nothing_works_it_stops(self, tmp_path):
        sampler = NoiseSampler(bad=[p.text for p in LISTED])
        with pytest.raises(FailedError, match="none of the first 8 images could be made. ValueError: a bad prompt"):
            run(tmp_path, sampler, prompts=LISTED)
        with pytest.raises(FailedError, match="none of the first 2 images"):
            run(tmp_path / "few", NoiseSampler(bad=[LISTED[0].text]), prompts=LISTED[:1])

    def test_a_broken_file_of_failures_is_no_obstacle(self, tmp_path):
        run(tmp_path, NoiseSampler(bad=[self.BAD]))
        for text in ("{", "{}", "[1]"):
            (tmp_path / "unguided.failed.json").write_text(text)
            assert run(tmp_path, NoiseSampler(bad=[self.BAD]))["failed"]["unguided"] == ["20_00", "20_01"]

    def test_a_list_of_tasks_alone_raises_at_the_end(self, tmp_path):
        tasks = [Task("a", "good", 1), Task("b", self.BAD, 2), Task("c", "fine", 3)]
        with pytest.raises(FailedError, match="1 of 3 images could not be made; b: ValueError"):
            run_tasks(MethodFolder(tmp_path, "m"), tasks, NoiseSampler(bad=[self.BAD]), None, batch=2, label="m", progress=False)
        found = run_tasks(MethodFolder(tmp_path, "m"), tasks, NoiseSampler(), None, batch=2, label="m", progress=False)
        assert [record["key"] for record in found] == ["a", "b", "c"]


class TestFolder:
    def test_a_first_line_cut_short_is_forgotten(self, tmp_path):
        run(tmp_path / "whole")
        lines = tmp_path / "cut" / "unguided.jsonl"
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", NoiseSampler(dies_at=1))
        lines.write_bytes(lines.read_bytes()[:30])
        run(tmp_path / "cut")
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

    def test_a_disk_that_is_full_while_a_line_is_written(self, tmp_path, monkeypatch):
        run(tmp_path / "whole")
        real = files._add

        def full(path, data):
            if len(records(tmp_path / "cut")) > 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(path, data)

        monkeypatch.setattr(files, "_add", full)
        (tmp_path / "cut").mkdir()
        (tmp_path / "cut" / "unguided.jsonl").touch()
        (tmp_path / "cut" / "manifest.json").write_bytes((tmp_path / "whole" / "manifest.json").read_bytes())
        with pytest.raises(OutputError, match="No space left on device; what is done so far is kept"):
            run(tmp_path / "cut")
        monkeypatch.undo()
        run(tmp_path / "cut")
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

    @pytest.mark.parametrize("part", [".", "unguided", "unguided/0_00.png"])
    def test_case_34_what_is_removed_in_mid_run_is_an_error(self, tmp_path, part):
        class Removing(NoiseSampler):
            def __call__(self, texts, seeds, config):
                if len(self.calls) == 1:
                    gone = tmp_path / "run" / part
                    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
                return super().__call__(texts, seeds, config)

        with pytest.raises(OutputError, match="gone|removed"):
            run(tmp_path / "run", Removing())
        run(tmp_path / "run")
        run(tmp_path / "whole")
        assert contents(tmp_path / "run") == contents(tmp_path / "whole")

    @pytest.mark.parametrize("line", [{"batch": "4"}, {"seed": None}, {"prompt": 1}, {"key": "../../x"}, {"key": "a/b"}, {"key": ""}])
    def test_case_29_records_of_another_form(self, tmp_path, line):
        run(tmp_path)
        first, *rest = (tmp_path / "unguided.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / "unguided.jsonl").write_text("".join([json.dumps(json.loads(first) | line) + "\n", *rest]))
        with pytest.raises(OutputError, match="unguided.jsonl', line 1, is no record of a run: .*; delete the line"):
            run(tmp_path)

    def test_two_runs_do_not_write_into_one_folder(self, tmp_path):
        run(tmp_path)
        other = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="is being written by another run"):
            run(tmp_path)
        os.close(other)
        run(tmp_path)


def test_the_bar_counts_what_is_there_and_tells_the_time_left(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, NoiseSampler(dies_at=2), progress=True)
    capsys.readouterr()
    run(tmp_path, NoiseSampler(bad=[LISTED[4].text], seconds=0.05), progress=True)
    bars = capsys.readouterr().err.replace("\r", "\n").split("\n")
    assert any("8/20" in bar for bar in bars)
    assert "20/20" in bars[-2]
    assert "infsplign: 100%" in bars[-2]
    assert "failed=2" in bars[-2]
    assert "<" in bars[-2]  # elapsed<left
