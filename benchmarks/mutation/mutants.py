"""Mutants of a source file: mutmut's operators on its syntax tree."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

_LEFT_ALONE = (cst.Annotation, cst.Raise, cst.Import, cst.ImportFrom, cst.Decorator, cst.FormattedString)
"""Types, texts of errors, imports and decorators: no test should depend on the one, and the others rarely survive an import."""
_UNCHANGED_CALLS = {"len", "isinstance", "check_flag", "check_level"}
"""As in mutmut; the checks' other argument is the name that their error shows."""


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        path: the source file.
        function: qualified name of the function that holds the change, "" at the top of the module.
        lines: first and last line of the function, or of the statement.
        line: where the change starts.
        source: the whole file, changed.
        was, now: the lines that differ, without blanks around them.
        context: digest of the function, or of the statement.
    """

    path: Path
    function: str
    lines: tuple[int, int]
    line: int
    source: str
    was: str
    now: str
    context: str

    @property
    def key(self) -> str:
        """The same as long as the function is, wherever in its file it stands."""
        return f"{self.context}-{digest(f'{self.line - self.lines[0]} {self.was} {self.now}')}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def mutants(path: Path) -> Iterator["Change"]:
    """All changes of a file, in its order."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text("utf-8")))
    finder = _Finder()
    wrapper.visit(finder)
    for node, changed, function, lines, line in finder.found:
        yield Change(path, wrapper.module, node, changed, function, lines, line)


def summary(path: Path, cache: Path) -> tuple[int, set[str]]:
    """The number of changes of a file and the contexts that it has, remembered in a file as long as it stays the same."""
    known = json.loads(cache.read_text("utf-8")) if cache.exists() else {}
    state = digest(path.read_text("utf-8"))
    if known.get(str(path), {}).get("state") != state:
        changes = list(mutants(path))
        known[str(path)] = {"state": state, "count": len(changes), "contexts": sorted({change.context for change in changes})}
        cache.write_text(json.dumps(known), "utf-8")
    return known[str(path)]["count"], set(known[str(path)]["contexts"])


@dataclass(frozen=True)
class Change:
    """A mutant that is not written out yet, since only a sample may be needed."""

    path: Path
    module: cst.Module
    node: cst.CSTNode
    changed: cst.CSTNode
    function: str
    lines: tuple[int, int]
    line: int

    @property
    def context(self) -> str:
        first, last = self.lines
        return digest(f"{self.path.name} {self.function} {self.module.code.splitlines()[first - 1 : last]}")

    def mutant(self) -> Mutant | None:
        """The mutant; None where it is no program, or the same one."""
        before, after = self.module.code, self.module.deep_replace(self.node, self.changed).code  # pyright: ignore[reportAttributeAccessIssue]
        try:
            compile(after, str(self.path), "exec")
        except (SyntaxError, ValueError):
            return None
        near = slice(max(0, self.line - 3), self.line + 40)
        different = [entry for entry in ndiff(before.splitlines()[near], after.splitlines()[near]) if entry[0] in "+-"]
        sides = {side: " ".join(entry[2:].strip() for entry in different if entry[0] == side) for side in "-+"}
        if before == after:
            return None
        return Mutant(self.path, self.function, self.lines, self.line, after, sides["-"], sides["+"], self.context)


class _Finder(cst.CSTVisitor):
    """Applies every operator to every node that may be changed."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode, str, tuple[int, int], int]] = []
        self._names: list[str] = []
        self._lines: list[tuple[int, int]] = []
        self._functions = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, _LEFT_ALONE) or _keeps(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
        self._functions += isinstance(node, cst.FunctionDef)
        if isinstance(node, cst.FunctionDef) or (isinstance(node, cst.SimpleStatementLine) and not self._functions):
            place = self.get_metadata(PositionProvider, node, None)
            assert place is not None  # libcst knows the position of every statement
            self._lines.append((place.start.line, place.end.line))
        place = self.get_metadata(PositionProvider, node, None)
        for kind, operator in mutation_operators:
            if isinstance(node, kind) and place is not None and self._lines:
                for changed in operator(node):
                    if not _drops_strict(node, changed):
                        self.found.append((node, changed, ".".join(self._names), self._lines[-1], place.start.line))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, _LEFT_ALONE) or _keeps(original_node):
            return
        if isinstance(original_node, cst.FunctionDef) or (isinstance(original_node, cst.SimpleStatementLine) and not self._functions):
            self._lines.pop()
        self._functions -= isinstance(original_node, cst.FunctionDef)
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._names.pop()


def _keeps(node: cst.CSTNode) -> bool:
    """Whether a node is left as it is: `__all__`, `zip`'s `strict`, calls that mutmut leaves alone."""
    if isinstance(node, cst.Assign):
        return isinstance(target := node.targets[0].target, cst.Name) and target.value == "__all__"
    if isinstance(node, cst.Arg):
        return node.keyword is not None and node.keyword.value == "strict"
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in _UNCHANGED_CALLS


def _drops_strict(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    """Whether a call loses `strict=True`, which checks what the lines above it make certain."""
    if not isinstance(node, cst.Call) or not isinstance(changed, cst.Call):
        return False
    return any(arg not in changed.args for arg in node.args if arg.keyword is not None and arg.keyword.value == "strict")
