"""The page on the architecture names files that exist, and the package's top stays small."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "infsplign"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_every_file_that_the_page_names_exists():
    named = re.findall(r"`([a-z]+/[\w/]*(?:\.py)?)`", PAGE)
    assert len(named) > 30
    missing = [name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()]
    assert missing == []


def test_every_folder_is_on_the_page():
    tree = PAGE[: PAGE.index("## How a prompt")]
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {name for name in folders if f"{name}/ " not in tree} == set()


def test_at_most_eight_files_lie_at_the_top():
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 8
