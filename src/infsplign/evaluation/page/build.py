"""Fills the template: tables, bars and gallery of one or more runs."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from colorsys import hls_to_rgb
from pathlib import Path
from typing import Any

from infsplign.evaluation.files import check_writable, write
from infsplign.evaluation.page.cards import BUDGET, VERDICTS, Card, cards, count
from infsplign.evaluation.page.published import DETECTOR, PUBLISHED
from infsplign.evaluation.page.reading import read_run
from infsplign.evaluation.page.run import Measured, RunFolder
from infsplign.evaluation.reading import is_kind
from infsplign.evaluation.scoring.summary import heading

IMAGES = 320
"""Default number of images on a page."""
COLOURS = ("#8a8f98", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195")
"""Of the first methods: grey, then Okabe and Ito's, distinguishable with every common kind of colour blindness."""
GOLDEN = 0.6180339887498949
_DIGEST = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48}\b")
WIDE_CARD = 6
"""Images of a card from which on it takes the whole width."""
BAR_ORDER = ("uncond", "score", "correct", "OA")
MEANING = {
    "OA": "both objects are detected",
    "cond": "the relation is right, of images with both objects",
    "uncond": "the relation is right, of all images",
    "strict": "each object exactly once, nothing else, relation right",
    "doubled": "an object more than once; less is better",
    "shape": "how well what was found fits its true outline",
}


def write_report(folders: Sequence[Path], out: Path, *, images: int = IMAGES, title: str = "Spatial relations in generated images") -> int:
    """Writes the page.

    Args:
        folders: runs of `infsplign eval`, with what `infsplign score --out` has written below them, or scores alone.
        out: the HTML file.
        images: how many to show at most, all runs together.
        title: of the page.

    Returns:
        Number of images shown.

    Raises:
        ReportError: a folder that holds neither.
        ValueError: no folder, or a number of images below 0.
        OutputError: the page cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader

    if not folders or images < 0:
        raise ValueError(f"`folders` must name at least one and `images` be >= 0, got {len(folders)} and {images}")
    check_writable(out.parent)
    runs = [read_run(folder) for folder in folders]
    names = Counter(run.name for run in runs)
    for run, folder in zip(runs, folders, strict=True):
        run.title = str(folder) if names[run.name] > 1 else ""
    colours = colours_of([name for run in runs for name in _methods(run)])
    with_images = [run for run in runs if run.records]
    parts = max(1, len(with_images))  # each run gets its share of the images and of the page
    shown = [card for run in with_images if images for card in cards(run, out, images // parts, BUDGET // parts)]
    env = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    env.filters |= {"heading": heading, "pairs": lambda names: [(name, name) for name in names]}
    write(
        out,
        env.get_template("report.html.j2").render(title=title, runs=[_run(run, colours) for run in runs], **_gallery(with_images, shown)),
    )
    return count(shown)


def _gallery(runs: Sequence[RunFolder], shown: Sequence[Card]) -> dict[str, Any]:
    methods = list(dict.fromkeys(name for run in runs for name in run.records))
    there = {shot.verdict for card in shown for shot in card.shots}
    return {
        "cards": shown,
        "wide_card": WIDE_CARD,
        "relations": sorted({card.relation for card in shown}),
        "verdicts": {name: text for name, text in VERDICTS.items() if name in there},
        "methods": methods,
        "run_names": list(dict.fromkeys(card.run for card in shown)),
        "total": sum(len({key for found in run.records.values() for key in found}) for run in runs),
        "images": count(shown),
        "made": sum("error" not in r for run in runs for found in run.records.values() for r in found.values()),
    }


def colours_of(methods: Sequence[str]) -> dict[str, str]:
    """Gives each method a colour of its own, the same one in all runs of a page.

    >>> len(set(colours_of([f"method {n}" for n in range(60)]).values()))
    60
    """
    found: dict[str, str] = {}
    for number, name in enumerate(dict.fromkeys(methods)):
        further = number - len(COLOURS)
        if further < 0:
            found[name] = COLOURS[number]
        else:  # hues that lie far from the ones before, at three levels of lightness
            rgb = hls_to_rgb((0.08 + further * GOLDEN) % 1, (0.36, 0.52, 0.66)[further % 3], 0.62)
            found[name] = "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
    return found


def _methods(run: RunFolder) -> list[str]:
    return list(run.records) or list(dict.fromkeys(name for measured in run.measured for name in measured.methods))


def _run(run: RunFolder, colours: Mapping[str, str]) -> dict[str, Any]:
    names = _methods(run)
    return {
        "name": run.name,
        "facts": _facts(run),
        "details": _details(run),
        "colours": colours,
        "tables": [_table(measured, names) for measured in run.measured],
        "failed": {name: lost for name, found in run.records.items() if (lost := sum("error" in r for r in found.values()))},
        "stale": run.stale,
        "strange": run.strange,
        "outdated": run.outdated,
        "pooled": run.pooled,
        "beside": run.beside,
        "replaced": run.replaced,
        "measured": bool(run.results.get("methods")),
        "made": sum(map(len, run.records.values())),
        "unfinished": bool(run.manifest) and not run.results,
        "extended": _extended(run),
        "measured_of": f"{run.results.get('prompts')} prompts × {run.results.get('images')} images",
    }


def _extended(run: RunFolder) -> bool:
    """Whether there are more images than were measured: a run with more prompts was stopped, or one with fewer came after it."""
    if run.files or not run.results.get("methods") or any("error" in r for found in run.records.values() for r in found.values()):
        return False
    prompts, images = (run.results.get(name) for name in ("prompts", "images"))
    if not isinstance(prompts, int) or not isinstance(images, int):
        return False
    return any(len(found) > prompts * images for found in run.records.values())


def _facts(run: RunFolder) -> list[str]:
    s, r = run.settings, run.results
    scale = s.get("guidance_scale")
    if is_kind(scale, float):
        scale = f"{scale:g}"
    sampled = [f"{s['steps']} steps" if s.get("steps") else "", f"guidance scale {scale}" if scale else ""]
    size = f"{r['prompts']} prompts × {r['images']} images" if "prompts" in r and "images" in r else ""
    return [str(fact) for fact in (s.get("benchmark") or r.get("benchmark", ""), s.get("pipeline", ""), size, *sampled) if fact]


def _details(run: RunFolder) -> list[tuple[str, str]]:
    s, r = run.settings, run.results
    versions = r.get("versions") or run.manifest.get("versions", {})
    found = {
        "folder": run.name,
        "model": _DIGEST.sub(r"\g<1>", str(s.get("model", ""))),
        "scheduler": str((s.get("scheduler") or {}).get("class", "")) if isinstance(s.get("scheduler"), Mapping) else "",
        "device": " ".join(str(s.get(name, "")) for name in ("device", "dtype")).strip(),
        "split": str(s.get("split", "")),
        "batch": str(s.get("batch", "")),
        "memory ran out": ", ".join(f"{name}: batches of {note['batch']}" for name, note in run.manifest.get("reduced", {}).items()),
        "seeds": r.get("seed_rule", ""),
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }
    return [(name, value) for name, value in found.items() if value]


def _table(measured: Measured, order: Sequence[str]) -> dict[str, Any]:
    methods = {name: measured.methods[name] for name in (*order, *measured.methods) if name in measured.methods}
    columns = list(next(iter(methods.values())))
    visor = "OA" in columns
    return {
        "title": measured.title,
        "columns": columns,
        "meaning": {name: MEANING.get(name) or _at_least(name) for name in columns},
        "methods": methods,
        "differences": measured.differences,
        "published": PUBLISHED if visor else (),
        "published_detector": DETECTOR,
        "bars": _bars(measured, list(methods), columns),
    }


def _at_least(name: str) -> str:
    return f"prompts with at least {name[6:]} right images" if name.startswith("VISOR-") else ""


def _bars(measured: Measured, methods: Sequence[str], columns: Sequence[str]) -> dict[str, Any] | None:
    """Bars of one measure, a group for each relation."""
    name = next((n for n in BAR_ORDER if n in columns), columns[0])
    relations = list(dict.fromkeys(relation for method in methods for relation in measured.relations.get(method, {})))
    if not relations:
        return None
    groups = [(rel, [(m, measured.relations.get(m, {}).get(rel, {}).get(name)) for m in methods]) for rel in relations]
    return {"measure": name, "meaning": MEANING.get(name, ""), "groups": groups, "methods": methods}
