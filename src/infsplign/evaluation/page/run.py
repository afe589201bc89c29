"""What a report knows of a run: its records, verdicts and measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infsplign.evaluation.generated import TRACE
from infsplign.evaluation.page.replaced import Digests
from infsplign.evaluation.reading import is_kind, parse_json, read_text
from infsplign.evaluation.running.method_folder import Record

GUIDED = "guided"
"""The method of `infsplign generate` that has a trace."""


class ReportError(ValueError):
    """A folder with nothing to report."""


@dataclass
class Measured:
    """Measures by one detector, on the same images of each method.

    Attributes:
        title: rule and detector; where the run's own facts do not tell it, what was scored too.
        methods: name to measures, each with `value`, `low` and `high`.
        differences: "A - B" to measures.
        relations: method to relation to plain values.
        prompts, images: how many prompts were measured, and images of each.
        places: folders of the scores, below the run's.
    """

    title: str
    methods: dict[str, Any] = field(default_factory=dict)
    differences: dict[str, Any] = field(default_factory=dict)
    relations: dict[str, Any] = field(default_factory=dict)
    prompts: int = 0
    images: int = 0
    places: list[str] = field(default_factory=list)


@dataclass
class RunFolder:
    """A run, finished or not, or scores of images that were made elsewhere.

    Attributes:
        folder: where.
        manifest, results: the content of these files; empty if missing.
        records: method to key of an image to its record; failed images have an `error`.
        verdicts: the same with what was judged; one detector and rule for all methods of an image.
        measured: one for each detector and set of images.
        digests: SHA-256 of the images.
        replaced: how many images are other files than were made; their verdicts are left out.
        stale: folders of scores of images that have changed since; they are left out.
        strange: folders of scores to their label, which no method of the run has; they are left out.
        outdated: folders of scores to the method that has other images or scores by now; their differences from it are left out.
        pooled: what to say of images that were made with different options; None where they were not.
    """

    folder: Path
    manifest: Mapping[str, Any]
    results: Mapping[str, Any]
    records: dict[str, dict[str, Record]]
    verdicts: dict[str, dict[str, Record]]
    measured: list[Measured]
    digests: Digests
    files: dict[str, dict[str, Path]] = field(default_factory=dict)
    """Method to key to the image's file, where it is not METHOD/KEY.png."""
    stale: list[str] = field(default_factory=list)
    strange: dict[str, str] = field(default_factory=dict)
    outdated: dict[str, str] = field(default_factory=dict)
    pooled: str | None = None
    beside: str | None = None
    """What to say of images in the folder that are not shown."""
    replaced: int = 0
    title: str = ""
    """What the page calls it instead of the folder's name, which another run may have too."""

    def image(self, method: str, key: str) -> Path:
        """The file of an image."""
        return self.files.get(method, {}).get(key) or self.folder / method / f"{key}.png"

    def trace(self, method: str, key: str) -> Path | None:
        """The file of the trace of an image; None where there is none."""
        path = self.image(method, key).with_suffix(".trace.json")
        if self.files and method == GUIDED:
            path = self.image(method, key).with_name(TRACE)
        return path if path.exists() else None

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.manifest.get("settings", {})

    @property
    def name(self) -> str:
        return self.title or self.folder.resolve().name


def title_of(results: Mapping[str, Any]) -> str:
    detector, threshold = results.get("detector", {}), results.get("threshold", {})
    rule = results.get("rule") or "VISOR, strict, doubled, shape"
    name = " ".join(str(detector[key]) for key in ("name", "model") if detector.get(key))
    name = name.replace("infsplign.shapes.detector", "the world's own")
    least = threshold.get("value", detector.get("min_score"))
    sign = ">" if threshold and not threshold.get("inclusive") else "≥"
    return f"{rule}; detector {name or 'unknown'}" + (f", score {sign} {least:g}" if is_kind(least, float) else "")


def read_object(path: Path, check: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """What a file holds; empty when there is none.

    Raises:
        ReportError: it holds something else.
    """
    if not path.exists():
        return {}
    try:
        return check(parse_json(read_text(path), surrogates=True))
    except (OSError, ValueError) as error:
        raise ReportError(f"{str(path)!r} cannot be reported: {error}") from error
