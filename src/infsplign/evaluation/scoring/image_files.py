"""Which image belongs to which prompt, by the names of the files alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from infsplign.evaluation.prompts.prompt import BenchmarkPrompt

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_NUMBERED = re.compile(r"(.+)_(\d+)")
_SAMPLES = re.compile(r"(\d+)/samples/(\d+)")


def find_images(folder: Path) -> dict[str, Path]:
    """Images in a folder, and in `*/samples/` below it: key (the path below `folder` without its ending) to path, sorted.

    Raises:
        OSError: there is no such folder.
        ValueError: two files that differ in their ending alone.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"there is no folder of images {str(folder)!r}")
    found: dict[str, Path] = {}
    for path in sorted([*folder.iterdir(), *folder.glob("*/samples/*")]):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            key = path.relative_to(folder).with_suffix("").as_posix()
            if key in found:
                raise ValueError(f"{str(found[key])!r} and {str(path)!r} differ in their ending alone; move one of them away")
            found[key] = path
    return found


def group_by_prompt(
    keys: Iterable[str], prompts: Sequence[BenchmarkPrompt], folders: Mapping[int, str | None] | None = None
) -> dict[str, list[str]]:
    """The images of each prompt, in the order of their numbers; prompts without images and images without a prompt are left out.

    A key is `{id}_{number}`, as `infsplign eval` and VISOR name images; `{text}_{number}`, as T2I-CompBench does; or
    `{number of the prompt}/samples/{number}`, as GenEval does. Prompts of the same text share its images in equal runs of their numbers.

    Args:
        keys: of images.
        prompts: that own them.
        folders: number of a GenEval folder to the id of its prompt, or None, instead of the prompt of that number.

    Raises:
        ValueError: two images of the same prompt and number.

    >>> group_by_prompt(["7_01", "7_00", "a cat_000003", "x"], [BenchmarkPrompt("7", "a cat", "cat", "", "")])
    {'7': ['7_00', '7_01', 'a cat_000003']}
    """
    texts: dict[str, list[str]] = {}
    for prompt in prompts:
        texts.setdefault(prompt.text, []).append(prompt.id)
    named = {text: owners[0] for text, owners in texts.items()} | {prompt.id: prompt.id for prompt in prompts}
    numbered = {prompt.extra["number"]: prompt.id for prompt in prompts if "number" in prompt.extra} | dict(folders or {})
    groups: dict[str, dict[int, str]] = {prompt.id: {} for prompt in prompts}
    dealt = _dealt(keys := list(keys), texts)
    for key in keys:
        if match := _SAMPLES.fullmatch(key):
            owner = numbered.get(int(match[1]))
        elif match := _NUMBERED.fullmatch(key):
            owner = dealt.get(key, named.get(match[1]))
        else:
            continue
        if owner is not None:
            other = groups[owner].setdefault(int(match[2]), key)
            if other != key:
                raise ValueError(f"{other!r} and {key!r} are both image {int(match[2])} of the prompt {owner!r}")
    return {owner: [keys[number] for number in sorted(keys)] for owner, keys in groups.items() if keys}


def _dealt(keys: Sequence[str], texts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The owner of each image that is named after a text which several prompts have."""
    found: dict[str, str] = {}
    for text, owners in texts.items():
        if len(owners) > 1:
            numbers = {key: int(match[2]) for key in keys if (match := _NUMBERED.fullmatch(key)) and match[1] == text}
            each = -(-len(numbers) // len(owners))
            found |= {key: owners[place // each] for place, key in enumerate(sorted(numbers, key=lambda key: numbers[key]))}
    return found


def evenly(groups: dict[str, list[str]], count: int | None = None) -> dict[str, list[str]]:
    """The first `count` images of each prompt; all where it is None, and then they must be equally many.

    Raises:
        ValueError: no image at all, or prompts with fewer images than others or than asked for.
    """
    if not groups:
        raise ValueError("no image belongs to a prompt; images are called {id}_{number}, {prompt}_{number} or {line}/samples/{number}")
    if count is not None and count < 1:
        raise ValueError(f"`count` must be >= 1, got {count}")
    wanted = max(map(len, groups.values())) if count is None else count
    if few := [owner for owner, keys in groups.items() if len(keys) < wanted]:
        some = ", ".join(f"{owner} ({len(groups[owner])})" for owner in few[:5]) + (", ..." if len(few) > 5 else "")
        least = min(map(len, groups.values()))
        remedy = f"make the others, or give `--count {least}`"
        raise ValueError(f"{len(few)} of {len(groups)} prompts have fewer than {wanted} images: {some}; {remedy}")
    return {owner: keys[:wanted] for owner, keys in groups.items()}
