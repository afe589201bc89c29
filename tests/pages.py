"""A page of the documents whose Python is tested: its blocks, run in order as a reader would paste them."""

import re
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class Page:
    """A page.

    Args:
        path: from the root of the repository, such as "docs/core.md".

    Attributes:
        text: all of it.
        blocks: its Python, block by block.
    """

    def __init__(self, path: str) -> None:
        self.path = ROOT / path
        self.text = self.path.read_text("utf-8")
        self.blocks = [textwrap.dedent(block) for block in re.findall(r"```python\n(.*?)```", self.text, re.DOTALL)]

    def run(self, namespace: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[str]]:
        """Runs all blocks; returns the namespace that they leave, and the lines that they print."""
        printed: list[str] = []
        namespace = (namespace or {}) | {"print": lambda *values: printed.append(" ".join(map(str, values)))}
        for number, block in enumerate(self.blocks):
            exec(compile(block, f"{self.path.name}, block {number}", "exec"), namespace)
        return namespace, printed

    def shown(self) -> list[str]:
        """What the page says beside each `print(...)`."""
        return re.findall(r"print\(.*\)  # (.*)", "\n".join(self.blocks))

    def longest_line(self) -> int:
        return max(len(line) for block in self.blocks for line in block.splitlines())

    def broken_links(self) -> list[str]:
        """Links to files that are not there."""
        return [link for link in re.findall(r"\]\(([^)#:]+)\)", self.text) if not (self.path.parent / link).exists()]
