"""Runs and scores that anyone may have written: a page is made of them, or one line says why not."""

import json

import pytest
from bs4 import BeautifulSoup

from infsplign.evaluation.files import OutputError
from infsplign.evaluation.page import ReportError, write_report
from tests.evaluation.stub import run
from tests.evaluation.test_image_reading import png


@pytest.fixture
def folder(tmp_path):
    run(tmp_path / "run", count=2, images=1)
    return tmp_path / "run"


def change(path, **parts):
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


@pytest.mark.parametrize("name", ["run#1", "run?x", "run 100%", "run:1", "a&b=<c>", 'a"b', "é"])
def test_case_35_links_to_traces_are_quoted(tmp_path, name):
    """As a browser resolves them: the link leads to the file, whatever the folder is called."""
    from urllib.parse import unquote, urljoin, urlsplit

    run(tmp_path / name, count=1, images=1)
    trace = next((tmp_path / name / "infsplign").glob("*.png")).with_suffix(".trace.json")
    trace.write_text("[]\n")
    write_report([tmp_path / name], tmp_path / "report.html")
    (link,) = BeautifulSoup((tmp_path / "report.html").read_text("utf-8"), "html.parser").select("figcaption a")
    address = urlsplit(urljoin((tmp_path / "report.html").as_uri(), str(link["href"])))
    assert (address.scheme, address.query, address.fragment) == ("file", "", "")
    assert unquote(address.path) == str(trace)


@pytest.mark.parametrize(
    ("name", "parts", "message"),
    [
        ("manifest.json", {"settings": None}, "expected `settings` to be an object, got None"),
        ("manifest.json", {"methods": ["unguided"]}, "expected `methods` to be an object"),
        ("manifest.json", {"methods": {"../x": None}}, "a method's name must be"),
        ("manifest.json", {"reduced": {"unguided": None}}, "expected an object with `batch`"),
        ("results.json", {"methods": {}}, None),
        ("results.json", {"methods": []}, "expected `methods` to be an object"),
        ("results.json", {"methods": {"unguided": {}}}, "expected the same measures"),
        ("results.json", {"methods": {"unguided": {"OA": 0.5}}}, "expected `OA` to be an object, got 0.5"),
        (
            "results.json",
            {"methods": {"unguided": {"OA": {"value": "[/x]", "low": None, "high": None}}}},
            "expected `value` to be a number or null",
        ),
        ("results.json", {"relations": {"unguided": {"above": {"OA": "much"}}}}, "expected `OA` to be a number or null"),
        ("results.json", {"detector": "mine"}, "expected `detector` to be an object"),
        ("results.json", {"prompts": None}, "expected `prompts` to be a whole number"),
    ],
)
def test_case_29_parts_of_another_kind(folder, name, parts, message):
    change(folder / name, **parts)
    if message is None:
        write_report([folder], folder / "report.html")
        return
    with pytest.raises(ReportError, match=f"{name}' cannot be reported: .*{message}"):
        write_report([folder], folder / "report.html")
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"settings": ', "\0" * 100])
@pytest.mark.parametrize("name", ["manifest.json", "results.json"])
def test_case_29_files_that_are_none(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(ReportError, match=f"{name}' cannot be reported: "):
        write_report([folder], folder / "report.html")


@pytest.mark.parametrize("lost", ["prompt", "seed", "key", "sha256"])
def test_case_29_records_without_a_prompt_or_a_seed(folder, lost):
    record = json.loads((folder / "unguided.jsonl").read_text().splitlines()[0])
    del record[lost]
    (folder / "unguided.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(OutputError, match=f"unguided.jsonl', line 1, is no record of a run: `{lost}` is missing"):
        write_report([folder], folder / "report.html")


def test_case_29_an_image_that_would_fill_the_memory_is_left_out(folder):
    path = next((folder / "unguided").glob("*.png"))
    path.write_bytes(png(30_000, 30_000))
    assert write_report([folder], folder / "report.html") == 3
    assert (folder / "report.html").stat().st_size < 1e6


def test_case_29_names_with_markup_are_shown_as_they_are(folder):
    change(folder / "results.json", detector={"name": "[/x]<script>alert(1)</script>"})
    write_report([folder], folder / "report.html", title="[bold]<b>")
    page = (folder / "report.html").read_text("utf-8")
    assert "[/x]&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "[bold]&lt;b&gt;" in page


def test_scores_of_other_measures_get_a_table_of_their_own(folder):
    """Two folders with the same title and other measures, as a later version may write them."""
    measure = {"value": 0.5, "low": None, "high": None}
    for name, measures in (("a", {"OA": measure}), ("b", {"score": measure})):
        (folder / "scores" / name).mkdir(parents=True)
        scored = {"label": {"a": "unguided", "b": "infsplign"}[name], "methods": {}, "rule": "mine"}
        scored["methods"] = {scored["label"]: measures}
        (folder / "scores" / name / "results.json").write_text(json.dumps(scored))
    write_report([folder], folder / "report.html")
    tables = BeautifulSoup((folder / "report.html").read_text("utf-8"), "html.parser").select("table")
    assert len(tables) == 3
