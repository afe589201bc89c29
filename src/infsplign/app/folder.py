"""Everything that was made in a session as a folder, one for each model, which `infsplign report` and `infsplign score` read.

shapes/manifest.json, results.json, guided.jsonl, guided/0001_00.png ...   as `infsplign eval` writes a run
shapes/prompts.jsonl                                         prompts of one relation between two objects, for `score`
shapes/figures/0001_curves.png                               the curves
README.txt                                                   the commands
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from infsplign.app.results import Result
from infsplign.evaluation.files import make_folder, write, write_json
from infsplign.evaluation.prompts.agreement import check_agreement
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt, write_prompts
from infsplign.evaluation.running.method_folder import MethodFolder, Record, png
from infsplign.evaluation.running.run_folder import RESULTS, open_run
from infsplign.generation.file_names import slug
from infsplign.generation.vocabulary import nouns_of
from infsplign.shipped.presets import PRESETS

PROMPTS, FIGURES = "prompts.jsonl", "figures"
NAME = "infsplign-images"
OF_ALL = ("steps", "guidance_scale")
"""What the report shows of a run, where all its images have the same."""


def zipped(results: Sequence[Result], folder: Path, *, first: int = 1) -> Path:
    """Writes the results to a new zip file.

    Args:
        results: at least one, in the order in which they were made.
        folder: of the zip file.
        first: number of the first result; files have the numbers of the gallery.

    Returns:
        Its path.

    Raises:
        OutputError: it cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=folder) as work:
        root = Path(work) / NAME
        write_results(results, root, first=first)
        made = shutil.make_archive(str(Path(work) / "made"), "zip", work, NAME)
        return Path(shutil.move(made, folder / f"{NAME}.zip"))


def write_results(results: Sequence[Result], root: Path, *, first: int = 1) -> None:
    """Writes the results to a folder; those of each model to a folder of its own in it."""

    def model_of(entry: tuple[int, Result]) -> str:
        return entry[1].options.model

    names: dict[str, str] = {}
    for model, group in groupby(sorted(enumerate(results, first), key=model_of), key=model_of):
        name = _free_name(slug(model), names.values())
        names[model] = name
        _write_run(dict(group), root / name)
    write(root / "README.txt", _readme(names, [model for model, name in names.items() if (root / name / PROMPTS).exists()]))


def _write_run(results: Mapping[int, Result], out: Path) -> None:
    methods = {method: None for result in results.values() for method in result.images}
    make_folder(out / FIGURES)
    folders = open_run(out, _settings(list(results.values())), dict.fromkeys(methods))
    for number, result in results.items():
        key = f"{number:04d}_00"
        for method, image in result.images.items():
            _add(folders[method], key, method, result, png(image))
        if result.curves is not None:
            write(out / FIGURES / f"{number:04d}_curves.png", png(result.curves))
    if prompts := [prompt for number, result in results.items() if (prompt := _prompt(f"{number:04d}", result))]:
        write_prompts(out / PROMPTS, prompts)
    write_json(out / RESULTS, {"prompts": len(results), "images": 1})


def _settings(results: Sequence[Result]) -> Mapping[str, Any]:
    records = [result.record for result in results]
    same = {name: records[0][name] for name in OF_ALL if all(record[name] == records[0][name] for record in records)}
    return {"benchmark": "prompts of the page", "model": results[0].options.model, "pipeline": records[0]["model"]["pipeline"], **same}


def _add(folder: MethodFolder, key: str, method: str, result: Result, data: bytes) -> None:
    options = result.options
    record: Record = {
        "key": key, "prompt": options.prompt, "seed": options.seed, "sha256": folder.save(key, data), "batch": 1,
        "relations": result.record["relations"], "steps": result.record["steps"], "guidance_scale": result.record["guidance_scale"],
        "negative_prompt": options.negative_prompt, "size": result.record["images"][0]["size"],
        "config": result.record["config"] if method == "guided" else None,
    }  # fmt: skip
    if found := result.verdicts.outcomes.get(method):
        wrong = list(found[0].wrong)
        missing = any(text.startswith("no ") or text.endswith(" misshapen") for text in wrong)  # neither is detected
        record |= {"correct": all(found[0].holds), "both": not missing, "strict": not wrong, "wrong": wrong}
    if method == "guided":
        folder.save_trace(key, result.record["images"][0]["trace"])
    folder.add([record])


def _prompt(name: str, result: Result) -> BenchmarkPrompt | None:
    """The prompt as benchmarks have it; None where it asks for something else than one relation between two objects, where the
    relation by hand is another one, since `score` refuses a row whose text says otherwise, or where the model's own detector does not
    know the objects, which `score` would count as missing."""
    scene = result.scene
    if nouns_of(result.options.model) and result.verdicts.reason:
        return None
    if len(scene.relations) != 1 or scene.relations[0].relation.arity != 2 or scene.relations[0].second is None:
        return None
    edge = scene.relations[0]
    text, first, second = result.options.prompt, scene.objects[edge.first], scene.objects[scene.relations[0].second]
    try:
        check_agreement(text, first, edge.relation.name, second)
    except ValueError:
        return None
    return BenchmarkPrompt(name, text, first, edge.relation.name, second)


def _free_name(name: str, taken: Any) -> str:
    candidates = (name if number == 1 else f"{name}-{number}" for number in range(1, 10**6))
    return next(candidate for candidate in candidates if candidate not in taken)


def _readme(names: Mapping[str, str], scored: Sequence[str]) -> str:
    lines = ["Images of `infsplign app`. Each folder holds those of one model:", ""]
    lines += [f"  {name}/  {model}" for model, name in names.items()]
    lines += ["", "A page with all of them:", "", f"  infsplign report {' '.join(names.values())} --out report.html", ""]
    if scored:
        lines += ["Measures of the images whose prompts ask for one direction between two objects, such as:", ""]
    for model in scored:
        name = names[model]
        detector = f"world --model {PRESETS[model].world}" if nouns_of(model) else "owlv2"
        lines.append(f"  infsplign score --prompts {name}/{PROMPTS} --benchmark visor --detector {detector} --images {name}/guided")
    return "\n".join([*lines, "", "A trace (METHOD/KEY.trace.json) has what guidance did at each step.", ""])
