"""Runs each mutant in a forked process, in which the mutated code replaces the original in the functions that exist already."""

import gc
import importlib.abc
import importlib.util
import os
import resource
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path

import pytest

from benchmarks.mutation.rooms import SOURCE

Code = types.CodeType
_NEW_LOCALS = 0x2
"""Flag of the code of functions; modules and class bodies lack it."""


def forked(work: Callable[[], str], cpu_seconds: int) -> str:
    """Runs `work` in a fork and returns its text; "timeout" where it needs more, "died" where the process ends otherwise."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with os.fdopen(writing, "w") as pipe:
                pipe.write(work())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timeout"
    return text if os.WEXITSTATUS(status) == 0 else "died"


def first_failure(items: Sequence[pytest.Item]) -> str:
    """The name of the first test that fails, "" where all pass."""
    from _pytest.runner import runtestprotocol

    for item, following in zip(items, [*items[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return item.nodeid
    return ""


def functions_by_file() -> dict[str, list[types.FunctionType]]:
    """All functions that exist, by their source file. (A frozen collector shows none.)"""
    found = defaultdict(list)
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType:
            found[thing.__code__.co_filename].append(thing)
    return found


def live_functions(path: Path, functions: Sequence[types.FunctionType]) -> dict[str, list[types.FunctionType]]:
    """The functions of a file by qualified name and number among those of this name.

    Raises:
        RuntimeError: there are none, so that no mutant would run.
    """
    names = {code: name for name, code in _codes(compile(path.read_text("utf-8"), str(path), "exec")).items()}
    found = defaultdict(list)
    for function in functions:
        if function.__code__ in names:
            found[names[function.__code__]].append(function)
    if names and not found:
        raise RuntimeError(f"no function of {path} was imported")
    return found


def runs_at_import(path: Path, source: str) -> bool:
    """Whether a change is in what runs at import: the module, a class body, defaults of arguments."""
    return _outside(compile(path.read_text("utf-8"), str(path), "exec")) != _outside(compile(source, str(path), "exec"))


def swap(path: Path, source: str, live: dict[str, list[types.FunctionType]]) -> None:
    """Gives the functions of `path` the code of `source`."""
    for name, code in _codes(compile(source, str(path), "exec")).items():
        for function in live.get(name, ()):
            function.__code__ = code


def imported_anew(path: Path, source: str, names: Sequence[str], plugin: object) -> str:
    """Imports package and tests again, with `source` for `path`, and returns the first of the tests that fails, "" where all pass."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("infsplign", "tests")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Mutated(path, source))
    failed = _Failed()
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-s", *names], plugins=[plugin, failed])
    return failed.name or (f"pytest ended with {int(code)}" if code else "")


class _Failed:
    """The first test that failed."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid


class _Mutated(importlib.abc.MetaPathFinder):
    """Finds one module, whose source is another than its file's."""

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.source = path, source

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != module_name(self.path):
            return None
        loader = _Loader(fullname, str(self.path))
        loader.mutated = compile(self.source, str(self.path), "exec")
        package = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader, submodule_search_locations=package)


class _Loader(SourceFileLoader):
    mutated: Code

    def get_code(self, fullname: str) -> Code:
        return self.mutated


def module_name(path: Path) -> str:
    """The name under which a source file is imported."""
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def _codes(code: Code) -> dict[str, Code]:
    found: dict[str, Code] = {}
    numbers: dict[str, int] = defaultdict(int)

    def visit(outer: Code) -> None:
        for constant in outer.co_consts:
            if isinstance(constant, Code):
                if constant.co_flags & _NEW_LOCALS:
                    found[f"{constant.co_qualname}#{numbers[constant.co_qualname]}"] = constant
                    numbers[constant.co_qualname] += 1
                visit(constant)

    visit(code)
    return found


def _outside(code: Code) -> tuple:
    """What a module does at import, without the bodies of its functions."""
    inner = [(c.co_name, None if c.co_flags & _NEW_LOCALS else _outside(c)) if isinstance(c, Code) else repr(c) for c in code.co_consts]
    return code.co_code, code.co_names, tuple(inner)
