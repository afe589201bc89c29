"""The folders that `infsplign generate` and the page of `infsplign app` write, for `score` and `report`: a `trace.json` with its images.

A folder holds one prompt, or a folder of this kind for each prompt.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infsplign.evaluation.files import NAME
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt
from infsplign.evaluation.reading import member, parse_json, read_text

TRACE, MANIFEST = "trace.json", "manifest.json"


class GeneratedError(ValueError):
    """A `trace.json` that `infsplign generate` has not written."""


@dataclass(frozen=True)
class Generated:
    """The images of one prompt.

    Attributes:
        folder: where they are.
        record: the content of `trace.json`.
        id: of the prompt.
    """

    folder: Path
    record: Mapping[str, Any]
    id: str

    @property
    def text(self) -> str:
        return self.record["prompt"]

    @property
    def relation(self) -> str:
        """Names of what was asked for, which `--relation` may have told in place of the text."""
        return " + ".join(dict.fromkeys(edge[1] for edge in self.record["relations"] if len(edge) > 1))

    @property
    def finished(self) -> bool:
        """Whether the run was not stopped."""
        return self.record.get("status", "complete") == "complete"

    def prompt(self) -> BenchmarkPrompt:
        """The prompt with its relation; "" where it asks for something else than one relation of two objects."""
        relations = self.record["relations"]
        if len(relations) != 1 or len(relations[0]) != 3:
            return BenchmarkPrompt(self.id, self.text, self.record["objects"][0], "", "")
        first, relation, second = relations[0]
        return BenchmarkPrompt(self.id, self.text, first, relation, second)

    def images(self) -> dict[str, dict[str, tuple[Path, int]]]:
        """Method to the key of each of its images, `ID_NUMBER`, to its file and seed."""
        found: dict[str, dict[str, tuple[Path, int]]] = {}
        for number, image in enumerate(self.record["images"]):
            for method, name in image["files"].items():
                found.setdefault(method, {})[f"{self.id}_{number:02d}"] = (self.folder / name, image["seed"])
        return {method: found[method] for method in sorted(found, reverse=True)}  # unguided first

    def hashes(self) -> dict[str, dict[str, str]]:
        """Method to the key of each of its images to the SHA-256 that its file had; empty in records of earlier versions."""
        found: dict[str, dict[str, str]] = {}
        for number, image in enumerate(self.record["images"]):
            for method, digest in image.get("sha256", {}).items():
                found.setdefault(method, {})[f"{self.id}_{number:02d}"] = digest
        return found

    def verdicts(self) -> dict[str, dict[str, dict[str, bool]]]:
        """Method to the key of each image to whether its relations hold; empty where nothing was judged."""
        verdict = self.record.get("verdict") or {}
        held, strict, wrong = (verdict.get(name) or {} for name in ("relations", "strict", "wrong"))
        found: dict[str, dict[str, dict[str, bool]]] = {}
        for method in strict:
            for number, key in enumerate(self.images().get(method, {})):
                told = wrong[method][number]
                found.setdefault(method, {})[key] = {
                    "correct": all(each[method][number] for each in held.values()),
                    "both": not any(text.startswith("no ") or text.endswith(" misshapen") for text in told),  # neither is detected
                }
        return found


def read_generated(folder: Path) -> list[Generated]:
    """Reads a folder of `infsplign generate`, or the folders of its prompts; none where it is another folder.

    Raises:
        GeneratedError: a `trace.json` that is broken, or an image of it that is elsewhere.
    """
    if not folder.is_dir():
        return []
    places = [folder] if (folder / TRACE).is_file() else sorted(path.parent for path in folder.glob(f"*/{TRACE}"))
    found = []
    for place in places:
        try:
            record = _checked(parse_json(read_text(place / TRACE), surrogates=True))
            name = record["id"] if record["id"] or place == folder else _id_of(place)
            one = Generated(place, record, name or "prompt")
            one.prompt()
            one.verdicts()
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise GeneratedError(f"{str(place / TRACE)!r} is no record of `infsplign generate`: {error}") from error
        found.append(one)
    counts = Counter(one.id for one in found)  # folders of several runs, put side by side, may have one id
    return [replace(one, id=_id_of(one.folder)) if counts[one.id] > 1 else one for one in found]


def left_out(folder: Path) -> str | None:
    """What to say of images of `infsplign generate` in a folder that are not read with it: below those of another prompt, or of a run."""
    own, below = (folder / TRACE).is_file(), sorted(path.parent.name for path in folder.glob(f"*/{TRACE}"))
    if (folder / MANIFEST).is_file() and (own or below):
        return f"{str(folder)!r} is a run, and holds images of `infsplign generate` too, which are left out; read them by themselves"
    if own and below:
        which = f"{len(below)} other prompts, such as {below[0]!r}"
        return f"{str(folder)!r} holds images of one prompt, and folders of {which}, which are left out; read each by itself"
    return None


def _id_of(folder: Path) -> str:
    """The name of a folder as an id; a digest of it where it has signs, such as blanks, that no id has."""
    return folder.name if NAME.fullmatch(folder.name) else hashlib.sha256(os.fsencode(folder.name)).hexdigest()[:12]


def _checked(record: Any) -> dict[str, Any]:
    """The members that are read, of the right kinds."""
    for name, kind in {"versions": dict, "prompt": str, "model": dict, "objects": list, "relations": list, "images": list}.items():
        member(record, name, kind)
    member(record["versions"], "infsplign", str)
    for relation in record["relations"]:
        if not isinstance(relation, list) or not all(isinstance(part, str) for part in relation):
            raise ValueError(f"expected a relation to be a list of texts, got {relation!r:.100}")
    for image in record["images"]:
        member(image, "seed", int)
        member(image, "sha256", dict, missing=True)
        for method, name in member(image, "files", dict).items():
            if not isinstance(name, str) or Path(name).name != name:
                raise ValueError(f"expected `files` to name files in this folder, got {method!r}: {name!r:.100}")
    return record | {"id": member(record, "id", str, missing=True) or ""}


def unlike(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the options that decide images and differ between them."""
    names = dict.fromkeys(name for one in told for name in one)
    return [name for name in names if len({json.dumps(one.get(name), sort_keys=True) for one in told}) > 1]


def pooled(found: Sequence[Generated]) -> str | None:
    """What to say of folders that are counted together although their options differ, or an image comes twice; None where neither is so."""

    def decides(one: Generated) -> dict[str, Any]:
        own = {name: one.record.get(name) for name in ("steps", "guidance_scale", "negative_prompt")}
        own["size"] = sorted({str(image.get("size")) for image in one.record["images"]})
        model = {name: one.record["model"].get(name) for name in ("name", "scheduler", "dtype", "vae", "loras")}
        return own | {f"model {name}": value for name, value in model.items()} | dict(one.record.get("config") or {})

    images = [(one.text, image["seed"]) for one in found for image in one.record["images"]]
    told = _together([decides(one) for one in found], images, "runs")
    return f"{told}: score each folder by itself to compare them" if told else None


def pooled_records(records: Iterable[Mapping[str, Any]]) -> str | None:
    """The same of the images of one method that the page of `infsplign app` made, whose records tell their options."""
    own = [record for record in records if "config" in record]
    names = ("steps", "guidance_scale", "negative_prompt", "size")
    each = [{name: record.get(name) for name in names} | dict(record["config"] or {}) for record in own]
    return _together(each, [(record["prompt"], record["seed"]) for record in own], "images")


def _together(each: Sequence[Mapping[str, Any]], images: Sequence[tuple[str, int]], what: str) -> str | None:
    options = ", ".join(f"`{name}`" for name in unlike(each))
    twice = "the same prompt and seed several times" if len(set(images)) < len(images) else ""
    told = " and ".join(part for part in (f"{what} that differ in {options}" if options else "", twice) if part)
    return f"these are {told}, counted together as one" if told else None


def settings(found: Sequence[Generated]) -> dict[str, Any]:
    """What a report says of how the images were made; where the folders differ, all that they say."""

    def told(name: str, *, of_model: bool = True) -> Any:
        each = [(one.record["model"] if of_model else one.record).get(name, "" if of_model else None) for one in found]
        several = list(dict.fromkeys(map(str, each)))
        return ", ".join(several) if of_model or len(several) > 1 else each[0]

    return {
        "benchmark": "infsplign generate",
        "pipeline": told("pipeline"),
        "model": told("name"),
        "scheduler": {"class": told("scheduler")},
        "device": told("device"),
        "dtype": told("dtype"),
        "steps": told("steps", of_model=False),
        "guidance_scale": told("guidance_scale", of_model=False),
    }
