"""`infsplign score`: computes a benchmark's measures on any images."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from infsplign.commands.reading import READ


def score(
    benchmark: Annotated[
        Literal["visor", "t2i", "t2i-infsplign", "geneval", "shapes", "pictures"],
        typer.Option(help="Whose rule; t2i-infsplign is T2I-CompBench's as the InfSplign authors evaluate it."),
    ],
    detector: Annotated[
        str, typer.Option(help="owlvit, owlv2, grounding-dino, world (that of a shipped model's world), or a JSON file of detections.")
    ],
    images: Annotated[
        Path | None, typer.Option(help="Folder of images, named {id}_{number}.png or as published, or a folder of `infsplign generate`.")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            **READ,
            help="The prompts: a copy of the published file, one of `infsplign prompts`, or any file that `eval` and `generate` take. "
            "A folder of `infsplign generate` says them itself.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Folder or hub id of the detector's model; for world: shapes or pictures, else the one that knows the objects."),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the hub id.")] = None,
    detections: Annotated[
        Path | None, typer.Option(help="JSON file that keeps what is found: images that it holds are not looked at again.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results.json, images.jsonl and table.md.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Least score of a detection; as published if not given.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Score the first so many images of each prompt; all if not given.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="An earlier --out of the same prompts and seeds: differences from it, paired prompt by prompt.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that the detector looks at at once.")] = 8,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps; auto takes the best there is.")] = "auto",
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Score images by VISOR, T2I-CompBench's 2D spatial rule or GenEval's position rule, with bootstrap intervals over prompts."""
    from infsplign.evaluation.files import check_writable
    from infsplign.evaluation.generated import MANIFEST, left_out, pooled, pooled_records, read_generated
    from infsplign.evaluation.scoring.benchmarks import read_for
    from infsplign.evaluation.scoring.image_files import group_by_prompt
    from infsplign.evaluation.scoring.made_for import check_texts, records_of_run
    from infsplign.evaluation.scoring.scored_folder import read_earlier

    if threshold is not None and threshold != threshold:
        raise ValueError("`--threshold` must be a number from 0 to 1, got nan")
    if detections is not None and detections.is_dir():
        raise ValueError(f"`--detections` must be a file, got the folder {str(detections)!r}; name a file in it, such as found.json")
    made = [] if images is None else read_generated(images)
    if images is not None and not made and (images / MANIFEST).is_file():
        methods = [str(lines.with_suffix("")) for lines in sorted(images.glob("*.jsonl")) if lines.with_suffix("").is_dir()]
        raise ValueError(f"`--images` {str(images)!r} is a run; give the images of one of its methods: {', '.join(methods)}")
    if prompts is None and not made:
        raise ValueError("`--prompts` is needed: only a folder of `infsplign generate` says what was asked for")
    asked = _asked(benchmark, [one.prompt() for one in made] if prompts is None else read_for(benchmark, prompts))
    if made and prompts is not None:
        told = {key: one.text for one in made for images_of_one in one.images().values() for key in images_of_one}
        check_texts(told, asked, group_by_prompt(told, asked))
    if told := None if images is None else left_out(images):
        typer.echo(f"infsplign: warning: {told}", err=True)
    records = [] if images is None else records_of_run(images)
    if told := pooled(made) or pooled_records(records):
        typer.echo(f"infsplign: warning: {told}", err=True)
    earlier = None if against is None else read_earlier(against)
    if out is not None:
        _check_out(out, (images or Path(detector)).stem)
    if detections is not None:
        check_writable(detections.parent, "--detections")
    common = {"benchmark": benchmark, "prompts": asked, "count": count}
    seeds = {key: seed for one in made for found in one.images().values() for key, (_, seed) in found.items()}
    seeds |= {record["key"]: record["seed"] for record in records}
    if detector.endswith(".json"):
        useless = {"--model": model, "--revision": revision, "--detections": detections, "--device": None if device == "auto" else device}
        scored = _recorded(Path(detector), threshold, images, useless, common, _methods(made))
        _tell(replace(scored, seeds=seeds), earlier, out)
        return
    common |= {"keep": detections, "batch": batch, "progress": progress}
    options = {"model": model, "revision": revision, "device": device}
    if not made:
        _tell(replace(_detected(detector, threshold, images, options, common), seeds=seeds), earlier, out)
        return
    if not (methods := _methods(made)):
        raise ValueError(f"`--images` {str(images)!r} holds no image: `infsplign generate` was stopped before its first one; run it again")
    if unfinished := [one.id for one in made if not one.finished]:
        typer.echo(f"{len(unfinished)} of {len(made)} prompts are not finished, such as {unfinished[0]!r}", err=True)
    if earlier is not None and earlier.label in methods:
        earlier = earlier.named_before()
    for method, files in methods.items():
        own = {"files": files, "label": method}
        if detections is not None:  # the methods' images have the same keys
            own["keep"] = detections.with_name(f"{detections.stem}-{method}{detections.suffix}")
        scored = replace(_detected(detector, threshold, images, options, common | own), seeds=seeds)
        alike = earlier is None or against is not None or files.keys() == methods[earlier.label].keys()
        if earlier is not None and not alike:
            typer.echo(f"{method} and {earlier.label} have images of other prompts, so that no difference between them is told", err=True)
        _tell(scored, earlier if alike else None, None if out is None else out / method)
        if "keep" in own:
            typer.echo(f"detections of {method} written to {own['keep']}")
        earlier = earlier or scored.earlier()


def _methods(made: Sequence[Any]) -> dict[str, dict[str, Path]]:
    """Method to the key of each of its images to its file, of all prompts; unguided first."""
    found: dict[str, dict[str, Path]] = {}
    for one in made:
        for method, images in one.images().items():
            found.setdefault(method, {}).update({key: path for key, (path, _) in images.items()})
    return {method: found[method] for method in sorted(found, reverse=True)}


def _tell(scored: Any, earlier: Any, out: Path | None) -> None:
    """Prints the scores, and writes them."""
    from infsplign.evaluation.scoring.summary import print_table

    results = scored.results(earlier)
    print_table(results, title(results))
    if out is not None:
        scored.write(out, results)
        typer.echo(f"written to {out}")


def title(results: Mapping[str, Any]) -> str:
    """Makes the title, which says what was measured and how."""
    detector, threshold = results["detector"], results["threshold"]
    known = detector.get("commit") or detector.get("weights") or detector.get("version")
    version = f"{known!s:.12}" if known else "of unknown version"
    part = f"{results['prompts']} of {results['prompts_of_benchmark']} prompts x {results['images']} images"
    model = f" {detector['model']}" if detector.get("model") else ""
    sign = ">=" if threshold["inclusive"] else ">"
    return f"{results['rule']}: {part}\ndetector {detector['name']}{model} {version}, score {sign} {threshold['value']:g}"


def _recorded(
    path: Path,
    threshold: float | None,
    images: Path | None,
    useless: Mapping[str, Any],
    common: Mapping[str, Any],
    made: Mapping[str, Mapping[str, Path]],
) -> Any:
    from infsplign.evaluation.detectors.recorded import read_recording
    from infsplign.evaluation.scoring.image_files import find_images, group_by_prompt
    from infsplign.evaluation.scoring.made_for import check_texts, texts_of_run
    from infsplign.evaluation.scoring.metadata import prompts_of_folders
    from infsplign.evaluation.scoring.score_images import label_of, score_recording, threshold_for

    if given := [name for name, value in useless.items() if value is not None]:
        raise ValueError(f"{given[0]} is of no use with detections that are there already; nothing is looked for")
    if not path.is_file():
        raise ValueError(f"`--detector` {str(path)!r} must be a file of detections, and there is none; look for them with a detector")
    recording = read_recording(path)
    if any(seen.names is not None for seen in recording.images.values()):  # else it may have looked for all that it knows
        _tell_blind(common["benchmark"], recording.detector["name"])
    drawn = recording.detector.get("model") if recording.detector["name"] == "world" else None
    least = threshold_for(common["benchmark"], drawn, threshold)
    label, files = (path.stem, None) if images is None else (label_of(images), find_images(images))
    if made:
        label, files = _method_of(recording, made)
    folders = None if files is None else prompts_of_folders(files, common["prompts"])
    keys = recording.images if files is None else files
    groups = group_by_prompt(keys, common["prompts"], folders)
    if images is not None and not made:
        check_texts(texts_of_run(images), common["prompts"], groups)
    scored = score_recording(recording=recording, label=label, threshold=least, files=files, **common)
    _tell_left_out(keys, groups)
    return scored


def _method_of(recording: Any, made: Mapping[str, Mapping[str, Path]]) -> tuple[str, Mapping[str, Path]]:
    """The method, of several whose images have the same keys, whose images were looked at, and its files."""
    from infsplign.evaluation.scoring.score_images import changed

    fits = [
        method
        for method, files in made.items()
        if not any(key in recording.images and changed(recording.images[key], file) for key, file in files.items())
    ]
    if not fits:
        raise ValueError(f"`--images` holds other images ({', '.join(made)}) than those that were looked at; look at them with a detector")
    if len(fits) > 1:
        raise ValueError(f"the detections do not say which images were looked at; name a folder of one of {', '.join(fits)} alone")
    return fits[0], made[fits[0]]


def _detected(detector: str, threshold: float | None, images: Path | None, options: Mapping[str, Any], common: Mapping[str, Any]) -> Any:
    from infsplign.evaluation.detectors import KINDS, load_detector
    from infsplign.evaluation.scoring.image_files import evenly, find_images, group_by_prompt
    from infsplign.evaluation.scoring.made_for import check_texts, texts_of_run
    from infsplign.evaluation.scoring.metadata import prompts_of_folders
    from infsplign.evaluation.scoring.score_images import score_images, threshold_for
    from infsplign.generation.models import choose_device, quiet
    from infsplign.shipped.worlds import WORLDS, world_of

    if detector not in KINDS:
        raise ValueError(f"`--detector` must be {', '.join(KINDS)}, or a file of detections that ends in .json; got {detector!r}")
    if images is None:
        raise ValueError("`--images` is needed: a detector looks at images")
    files = common.get("files") or find_images(images)
    folders = prompts_of_folders(files, common["prompts"])
    groups = group_by_prompt(files, common["prompts"], folders)
    evenly(groups, common["count"])  # bad names are found before a model is loaded
    check_texts(texts_of_run(images), common["prompts"], groups)
    _tell_left_out(files, groups)
    if detector == "world" and options["model"] is None:
        names = [name for prompt in common["prompts"] for name in (prompt.first, prompt.second) if name]
        options = {**options, "model": common["benchmark"] if common["benchmark"] in WORLDS else world_of(names)}
    _tell_blind(common["benchmark"], detector)
    if detector == "world":
        common = {**common, "prompts": _known(common["benchmark"], common["prompts"], groups, options["model"])}
    least = threshold_for(common["benchmark"], options["model"] if detector == "world" else None, threshold)
    device = "cpu" if detector == "world" else str(choose_device(options["device"]))
    with quiet(bars=True):
        found_by = load_detector(detector, **{**options, "device": device}, threshold=least.floor)
    return score_images(folder=images, detector=found_by, threshold=least, **common)


def _known(benchmark: str, prompts: Sequence[Any], groups: Collection[str], name: str) -> list[Any]:
    """The prompts of which a world knows the objects; says which others have images. It would find nothing in these, whatever they show."""
    from infsplign.evaluation.metrics.names import listed, plain
    from infsplign.evaluation.scoring.benchmarks import BENCHMARKS
    from infsplign.shipped.worlds import world

    nouns = set(map(plain, world(name).nouns))
    strange = {p.id: [each for each in BENCHMARKS[benchmark].names(p) if plain(each) not in nouns] for p in prompts}
    left_out = [p for p in prompts if strange[p.id] and p.id in groups]
    why = f"the world of {name} does not know {listed(sorted({each for p in left_out for each in strange[p.id]}))}"
    if len(left_out) == len(groups):
        raise ValueError(f"`--detector` world cannot judge these images: {why}; use another detector, or name another world by `--model`")
    if left_out:
        typer.echo(f"{len(left_out)} of {len(groups)} prompts with images are left out: {why}", err=True)
    return [p for p in prompts if not strange[p.id]]


def _tell_left_out(images: Collection[str], groups: Mapping[str, Sequence[str]]) -> None:
    """Says how many images have no prompt that is measured: a slip in their names would be scored as fewer images, and so is a prompt of
    another relation."""
    known = {key for keys in groups.values() for key in keys}
    if others := [key for key in images if key not in known]:
        which = f"they belong to no prompt that is measured, such as {others[0]!r}"
        typer.echo(f"{len(others)} of {len(images)} images are left out: {which}", err=True)


def _tell_blind(benchmark: str, detector: str) -> None:
    """Warns of a detector that does not see all that is in an image, where the rule asks for that."""
    from infsplign.shipped.worlds import WORLDS

    if benchmark in WORLDS and detector != "world":
        blind = f"{detector} looks for the objects of the prompts alone, so `strict` cannot tell whether something else is in an image"
        typer.echo(f"infsplign: warning: {blind}; `--detector world` sees it", err=True)


def _check_out(out: Path, name: str) -> None:
    from infsplign.evaluation.files import check_writable
    from infsplign.evaluation.running.run_folder import MANIFEST

    if (out / MANIFEST).exists():
        below = str(out / "scores" / name)
        raise ValueError(
            f"`--out` {str(out)!r} is the folder of a run, whose results would be replaced; give one below it, such as {below!r}"
        )
    check_writable(out)


def _asked(benchmark: str, prompts: Sequence[Any]) -> list[Any]:
    """The prompts that a benchmark measures; says how many others there are."""
    from infsplign.evaluation.scoring.benchmarks import BENCHMARKS

    rule = BENCHMARKS[benchmark]
    asked = rule.asked(prompts)
    if others := len(prompts) - len(asked):
        typer.echo(
            f"{others} of {len(prompts)} prompts are left out: they ask for no relation of two objects that {benchmark} measures", err=True
        )
    return asked
