"""The report in a real browser: what is in the page, and what its filters leave to be seen. CI installs Chromium, see `.ci/run`."""

import json
import re
import subprocess

import pytest
from typer.testing import CliRunner

from infsplign.cli import app
from infsplign.engine.config import RECOMMENDED
from infsplign.evaluation.page import write_report
from infsplign.evaluation.page.reading import read_run
from infsplign.evaluation.prompts import world_prompts, write_prompts
from tests.browser import CHROMIUM, needs_chromium
from tests.evaluation.stub import StubSampler, run

SILENT = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Ten images unguided, all the wrong way round, and guided, all right."""
    folder = tmp_path_factory.mktemp("page")
    run(folder / "run")
    shown = write_report([folder / "run"], folder / "report.html", images=320, title="A <title>")
    return folder / "report.html", shown


def cards(address, profile):
    """Visible cards of the page, once its script has run."""
    assert CHROMIUM, "CI installs chromium"
    command = [CHROMIUM, *SILENT.split(), "--disable-sync", f"--user-data-dir={profile}", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.findall(r'<(?:article|div|li|section)[^>]*class="card[^"]*"[^>]*>', done.stdout)
    return [card for card in found if " hidden" not in card]


def test_the_page_needs_nothing_else(page):
    path, shown = page
    text = path.read_text("utf-8")
    assert shown == 20
    assert "A &lt;title&gt;" in text
    assert not re.search(r"""(?:src|href)=["']https?://[^"']+\.(?:js|css|png|jpg)""", text)
    assert path.stat().st_size < 5e6


def test_runs_in_folders_of_one_name_are_told_apart(tmp_path):
    folders = [tmp_path / model / "run" for model in ("sd", "sdxl")]
    for folder in folders:
        run(folder)
    write_report(folders, tmp_path / "report.html", images=4)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert all(f"<h2>{folder}</h2>" in page and f'data-run="{folder}"' in page for folder in folders)


def scored(folder, place, method, *more):
    """Scores a method of a run of world prompts, below the run."""
    prompts = folder / "shapes.jsonl"
    if not prompts.exists():
        write_prompts(prompts, world_prompts.prompts("tune", 5, "shapes"))
    images = ["--images", str(folder / method), "--out", str(folder / place / method)]
    asked = ["score", *images, "--prompts", str(prompts), "--benchmark", "visor", "--no-progress", *map(str, more)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output


def tables(folder):
    """Title and methods of each table but that of the run itself."""
    return [(measured.title.partition("; detector ")[2], sorted(measured.methods)) for measured in read_run(folder).measured[1:]]


class TestScores:
    """What `infsplign score` has written below a run: only what was measured alike stands in one table."""

    WORLD = "world shapes, score ≥ 0.6"

    @pytest.fixture
    def folder(self, tmp_path):
        run(tmp_path / "run")
        return tmp_path / "run"

    def test_alike(self, folder):
        for method in ("unguided", "infsplign"):
            scored(folder, "scores", method, "--detector", "world")
        assert tables(folder) == [(self.WORLD, ["infsplign", "unguided"])]

    def test_other_numbers_of_prompts_or_images(self, folder):
        scored(folder, "scores", "unguided", "--detector", "world")
        scored(folder, "scores", "infsplign", "--detector", "world", "--count", "1")
        assert tables(folder) == [(f"{self.WORLD}; 5 prompts × 1 images", ["infsplign"]), (self.WORLD, ["unguided"])]
        write_prompts(folder / "shapes.jsonl", world_prompts.prompts("tune", 2, "shapes"))
        scored(folder, "scores", "infsplign", "--detector", "world")
        assert tables(folder) == [(f"{self.WORLD}; 2 prompts × 2 images", ["infsplign"]), (self.WORLD, ["unguided"])]

    def test_as_many_other_prompts(self, folder):
        every = world_prompts.prompts("tune", 5, "shapes")
        for method, some in (("unguided", every[:2]), ("infsplign", every[2:4])):
            write_prompts(folder / "shapes.jsonl", some)
            scored(folder, "scores", method, "--detector", "world")
        size = f"{self.WORLD}; 2 prompts × 2 images"
        assert tables(folder) == [(f"{size}; scores/infsplign", ["infsplign"]), (f"{size}; scores/unguided", ["unguided"])]

    def test_differences_from_what_has_been_scored_anew_are_left_out(self, folder):
        """The page would show 60 beside 20, and a difference of other figures."""
        scored(folder, "scores", "unguided", "--detector", "world", "--detections", folder / "found.json")
        scored(folder, "scores", "infsplign", "--detector", "world", "--against", folder / "scores" / "unguided")
        assert list(read_run(folder).measured[1].differences) == ["infsplign - unguided"]
        assert not read_run(folder).outdated
        found = json.loads((folder / "found.json").read_text("utf-8"))
        for seen in found["images"].values():
            seen["detections"] = []
        (folder / "found.json").write_text(json.dumps(found))
        scored(folder, "scores", "unguided", "--detector", folder / "found.json")
        (group,) = read_run(folder).measured[1:]
        assert sorted(group.methods) == ["infsplign", "unguided"]
        assert not group.differences
        write_report([folder], folder.parent / "page.html")
        told = " ".join((folder.parent / "page.html").read_text("utf-8").split())
        assert "scores/infsplign: its differences from unguided are left out, since unguided has other images or scores by now" in told
        scored(folder, "scores", "infsplign", "--detector", "world", "--against", folder / "scores" / "unguided")
        assert list(read_run(folder).measured[1].differences) == ["infsplign - unguided"]
        first, other = sorted((folder / "unguided").glob("*.png"))[:2]
        first.write_bytes(other.read_bytes())
        found = read_run(folder)
        assert (found.stale, found.outdated) == (["scores/unguided"], {"scores/infsplign": "unguided"})
        assert not found.measured[1].differences

    def test_images_that_were_replaced_have_no_verdict_until_they_are_scored(self, folder):
        """The page would show the new picture with the old verdict."""
        first, other = sorted((folder / "unguided").glob("*.png"))[:2]
        data = first.read_bytes()
        first.write_bytes((folder / "infsplign" / first.name).read_bytes())
        found = read_run(folder)
        assert found.replaced == 1
        assert first.stem not in found.verdicts["unguided"]
        assert other.stem in found.verdicts["unguided"]
        write_report([folder], folder.parent / "page.html")
        told = " ".join((folder.parent / "page.html").read_text("utf-8").split())
        assert "1 of 20 images are other files than those that were made: their verdicts are left out, and the run's own measures" in told
        for method in ("unguided", "infsplign"):
            scored(folder, "scores", method, "--detector", "world")
        found = read_run(folder)
        assert not found.stale
        assert found.verdicts["unguided"][first.stem]["correct"]
        first.write_bytes(data)
        assert read_run(folder).stale == ["scores/unguided"]
        first.unlink()  # a run may be kept without its images
        assert (read_run(folder).replaced, read_run(folder).stale) == (0, ["scores/unguided"])

    def test_a_rule_without_verdicts_takes_no_place_of_one_with_them(self, folder):
        for lines in folder.glob("*.jsonl"):
            lines.write_text(re.sub(r', "correct": \w+', "", lines.read_text("utf-8")))
        for method in ("unguided", "infsplign"):
            scored(folder, "scores-t2i", method, "--detector", "world", "--benchmark", "t2i")
            scored(folder, "scores-visor", method, "--detector", "world")
        assert {row["correct"] for row in read_run(folder).verdicts["infsplign"].values()} == {True}

    def test_methods_side_by_side_are_judged_by_one_rule(self, folder):
        """One by GenEval's and another by VISOR's would differ by the rule."""
        for lines in folder.glob("*.jsonl"):
            lines.write_text(re.sub(r', "correct": \w+', "", lines.read_text("utf-8")))
        scored(folder, "scores-geneval", "unguided", "--detector", "world", "--benchmark", "geneval", "--threshold", "0.99")
        for method in ("unguided", "infsplign"):
            scored(folder, "scores-visor", method, "--detector", "world")
        visor = (folder / "scores-visor" / "unguided" / "images.jsonl").read_text("utf-8").splitlines()
        assert list(read_run(folder).verdicts["unguided"].values()) == list(map(json.loads, visor))

    def test_other_versions_of_a_detector(self, folder):
        scored(folder, "scores", "unguided", "--detector", "world", "--detections", folder / "found.json")
        found = json.loads((folder / "found.json").read_text("utf-8"))
        for place, version in (("scores", "1"), ("again", "2")):
            (folder / "found.json").write_text(json.dumps(found | {"detector": {"name": "mine", "version": version}}))
            scored(folder, place, "unguided", "--detector", folder / "found.json")
        expected = [(f"mine, score > 0.1; {place}/unguided", ["unguided"]) for place in ("again", "scores")]
        assert tables(folder) == expected


@needs_chromium
def test_filters_of_the_address_leave_what_fits(page, tmp_path):
    address = page[0].as_uri()
    everything = cards(address, tmp_path / "a")
    above = cards(f"{address}#relation=above", tmp_path / "b")
    assert len(everything) == 10
    assert 0 < len(above) < 10
    assert cards(f"{address}#method=infsplign&verdict=wrong", tmp_path / "c") == []
    assert len(cards(f"{address}#method=unguided&verdict=wrong", tmp_path / "d")) == 10


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_nothing_is_cut_beside_many_methods(tmp_path, width):
    """Widths of a small screen and of a phone; the longest intervals, and more methods than named colours."""
    methods = {f"method-of-a-long-name-{number}": RECOMMENDED if number else None for number in range(10)}
    run(tmp_path / "run", methods=methods, count=4, images=4)
    write_report([tmp_path / "run"], tmp_path / "report.html", images=40)
    script = """<script>
      const wide = [document.documentElement, ...document.querySelectorAll(".scroll, .gallery, .card, td")]
      document.body.dataset.cut = wide.filter((e) => e.scrollWidth > e.clientWidth + 1).length
    </script></body>"""
    page = (tmp_path / "report.html").read_text("utf-8").replace("</body>", script)
    (tmp_path / "probe.html").write_text(page, "utf-8")
    command = [CHROMIUM, *SILENT.split(), "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"]
    done = subprocess.run([*command, "--dump-dom", (tmp_path / "probe.html").as_uri()], capture_output=True, text=True, timeout=120)
    assert 'data-cut="0"' in done.stdout
    dots = set(re.findall(r'class="dot" style="background:(#\w+)"></span>method', page))
    assert len(dots) == len(methods)


@pytest.mark.parametrize("name", ["run/manifest.json", "prompts.txt"])
def test_a_file_that_is_no_page_is_not_replaced(tmp_path, name):
    run(tmp_path / "run")
    (tmp_path / "prompts.txt").write_text("a cat left of a dog")
    before = (tmp_path / name).read_bytes()
    done = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--out", str(tmp_path / name)])
    assert done.exit_code == 2
    assert "is no page and would be replaced" in " ".join(done.stderr.split())
    assert (tmp_path / name).read_bytes() == before
    for _ in range(2):
        assert CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--out", str(tmp_path / "r.html")]).exit_code == 0


def test_a_run_that_was_extended_and_stopped_is_told(tmp_path):
    run(tmp_path / "run", count=3)
    write_report([tmp_path / "run"], tmp_path / "before.html")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", StubSampler(dies_at=1), count=5)
    write_report([tmp_path / "run"], tmp_path / "after.html")
    told = "There are more images than were measured: the measures are of 3 prompts × 2 images."
    assert told not in (tmp_path / "before.html").read_text("utf-8")
    assert told in (tmp_path / "after.html").read_text("utf-8")
