"""Hooks of mkdocs: pages of the site that are files of the repository outside `docs/`, and links to them.

Files in `docs/` link to each other as on a code host: `../examples/ddim.py`, and the README to `docs/method.md`. The README becomes the
first page; any other file that is linked is copied to the site under `repository/`. A link to a folder becomes plain text.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages of the site that come from the repository's root."""
PUBLIC = ("infsplign", "infsplign.core", "infsplign.adapters", "infsplign.testing", "infsplign.visuals")
"""Modules of the reference."""
SOURCES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\(docs/")


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the pages of the root, and the files outside `docs/` that any page links to."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for page in list(files.documentation_pages()):
        for link in LINK.finditer(page.content_string):
            path = _path(link["target"], page.src_uri)
            copy = f"repository/{path}"
            if _outside(path) and (ROOT / path).is_file() and files.get_file_from_path(copy) is None:
                files.append(File.generated(config, copy, content=(ROOT / path).read_bytes()))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Points links at where the site has their targets."""
    uri = page.file.src_uri
    if uri in SOURCES:
        markdown = IMAGE.sub(r"![\g<text>](", markdown)
    return LINK.sub(lambda link: _rewritten(link, uri), markdown)


def on_post_build(*, config: Any) -> None:
    """Checks that the reference has every public name: a name that is also a module's is easily left out."""
    for module in PUBLIC:
        page = Path(config.site_dir, "reference", f"{module.rpartition('.')[2]}.html").read_text()
        missing = [name for name in _exported(module) if not re.search(rf'id="infsplign[.\w]*\.{name}"|id="{name}"', page)]
        if missing:
            raise PluginError(f"`docs/reference` must have all public names of {module}, {', '.join(missing)} missing; add `:::` lines")


def _exported(module: str) -> list[str]:
    tree = ast.parse((ROOT / "src" / module.replace(".", "/") / "__init__.py").read_text())
    values = (node.value for node in tree.body if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__")
    return [name for value in values for name in ast.literal_eval(value) if name != "__version__"]


def _rewritten(link: re.Match[str], uri: str) -> str:
    path = _path(link["target"], uri)
    if not (ROOT / path).exists():
        return link[0]  # mkdocs tells that it is broken
    if (ROOT / path).is_dir():
        return link["text"]
    place = PAGES.get(path) or (f"repository/{path}" if _outside(path) else path.removeprefix("docs/"))
    return f"[{link['text']}]({posixpath.relpath(place, posixpath.dirname(uri) or '.')}{link['anchor'] or ''})"


def _path(target: str, uri: str) -> str:
    """The path in the repository of what a page links to."""
    folder = posixpath.dirname(SOURCES.get(uri, f"docs/{uri}"))
    return posixpath.normpath(posixpath.join(folder, target))


def _outside(path: str) -> bool:
    return path not in PAGES and not path.startswith(("docs/", "../"))
