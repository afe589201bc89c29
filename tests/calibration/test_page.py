"""The Python of the how-to page on calibration runs as a reader would paste it, on a tiny pipeline."""

import infsplign
from infsplign.engine.config_file import to_json
from tests import tiny
from tests.pages import Page

PAGE = Page("docs/how-to/calibrate.md")
PROMPTS = ["a cat to the left of a dog", "a star above a moon"]


def test_page_writes_and_reads_a_preset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    infsplign.RECOMMENDED.save("preset.json")  # as the page's command does
    namespace, lines = PAGE.run({"pipe": tiny.sd(), "prompt": PROMPTS[0], "prompts": PROMPTS, "infsplign": infsplign})
    assert to_json(namespace["found"].config) == to_json(infsplign.GuidanceConfig.load("preset.json"))
    assert len(lines) == 1
    assert PAGE.broken_links() == []
