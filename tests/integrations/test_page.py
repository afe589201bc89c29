"""The how-to page on ComfyUI says of the nodes what they are."""

import re

from integrations.comfyui import NODE_DISPLAY_NAME_MAPPINGS
from integrations.comfyui.nodes import SpatialGuidance, SpatialTrace
from tests.pages import ROOT, Page

PAGE, README = Page("docs/how-to/comfyui.md"), Page("integrations/comfyui/README.md")


def test_the_inputs_and_their_defaults():
    rows = re.findall(r"^\| (`[^|]*`) \| ([^|]*)\| [^|]*\|$", PAGE.text, re.MULTILINE)
    shown = {name: default.strip() for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    inputs = {name: options for group in SpatialGuidance.INPUT_TYPES().values() for name, (_, options) in group.items()}
    assert set(shown) == set(inputs)
    defaults = {"prompt": "a cat to the left of a dog", "relations": "empty", "start": "0, 0.5", "stop": "0, 0.5", "check_prompt": "on"}
    for name, options in inputs.items():
        assert shown[name] == defaults.get(name, str(options.get("default", "")))
    assert (inputs["start"]["default"], inputs["stop"]["default"]) == (0.0, 0.5)


def test_the_outputs():
    assert re.findall(r"^\| `(\w+)` \| (IMAGE|STRING):", PAGE.text, re.MULTILINE) == list(
        zip(SpatialTrace.RETURN_NAMES, SpatialTrace.RETURN_TYPES, strict=True)
    )


def test_the_nodes_have_the_names_of_the_page():
    assert all(f"**{name}**" in PAGE.text for name in NODE_DISPLAY_NAME_MAPPINGS.values())


def test_links_lead_somewhere():
    assert PAGE.broken_links() == []
    assert README.broken_links() == []


def test_the_readme_names_each_file():
    files = {path.name for path in (ROOT / "integrations" / "comfyui").glob("*.py")} - {"__init__.py"}
    named = re.findall(r"`(\w+\.py)`|`(\w+)/`", README.text)
    assert {name for pair in named for name in pair if name} == files | {"real_core"}
