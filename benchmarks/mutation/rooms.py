"""The rooms: which sources are mutated, and which tests must notice."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "infsplign"
TESTS = ROOT / "tests"


@dataclass(frozen=True)
class Room:
    """Sources and their tests.

    Attributes:
        sources: files or patterns, in `src/infsplign`.
        tests: files or folders in `tests`; what is left out may also be a single test.
        slow: tests left out, because they compile with jax or torch, import in new processes, read pages, or sample with every family of
            denoisers. To leave tests out can only lower the score.
        goal: least share of mutants that the tests must notice.
    """

    sources: Sequence[str]
    tests: Sequence[str]
    slow: Sequence[str] = ()
    goal: float = 0.95

    def files(self) -> list[Path]:
        found = {path for pattern in self.sources for path in SOURCE.glob(pattern)}
        return sorted(path for path in found if path.name != "__init__.py" or path.stat().st_size > 1500)

    def arguments(self) -> list[str]:
        """The tests, as arguments of pytest."""
        left_out = [f"--deselect=tests/{name}" if "::" in name else f"--ignore={TESTS / name}" for name in self.slow]
        return [*(str(TESTS / name) for name in self.tests), *left_out]


ROOMS = {
    "core": Room(
        ("core/*.py", "core/terms/*.py"),
        ("core",),
        ("core/test_neutral.py", "core/test_agreement.py", "core/test_imports.py", "core/test_core_page.py", "core/test_losses_page.py"),
    ),
    "metrics": Room(("evaluation/metrics/*.py",), ("evaluation/metrics",)),
    "engine": Room(("engine/*.py",), ("engine",), ("engine/test_checkpointing.py",), goal=0.85),
    "capture": Room(
        tuple(f"adapters/{name}.py" for name in ("capture", "rows", "columns", "grids", "kernels", "sdpa", "fused", "streamed")),
        ("adapters", "testing/test_attention_source.py"),
        (
            "adapters/test_sdpa.py::test_the_gradient_is_the_same_without_any_kernel",
            "adapters/test_capture.py::test_case_13_an_interrupt_leaves_everything_as_it_was",
        ),
        goal=0.85,
    ),
}
