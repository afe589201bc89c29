"""What the images of a folder were made for, where their run, or `infsplign generate`, tells it.

The lines of a text file number its prompts: when a line is put in later, the images of all that follow belong to other ids.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from infsplign.evaluation.files import OutputError
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt
from infsplign.evaluation.running.method_folder import Record, read_lines
from infsplign.evaluation.running.run_folder import MANIFEST


def records_of_run(folder: Path) -> list[Record]:
    """Records of the images in the folder of a run's method; none where there is no run around it."""
    place = Path(os.path.abspath(folder))  # a method's folder may be a link: the run is where the link is
    lines = place.parent / f"{place.name}.jsonl"
    if not (place.parent / MANIFEST).is_file() or not lines.is_file():
        return []
    with suppress(OutputError):
        return read_lines(lines)
    return []


def texts_of_run(folder: Path) -> dict[str, str]:
    """Key of each of these images to the prompt that it was made for."""
    return {record["key"]: record["prompt"] for record in records_of_run(folder)}


def check_texts(texts: Mapping[str, str], prompts: Sequence[BenchmarkPrompt], groups: Mapping[str, Sequence[str]]) -> None:
    """Refuses images that were made for another prompt than the one that they would be judged by.

    Args:
        texts: key of an image to the prompt that it was made for, where that is known.
        prompts: that are scored.
        groups: id of a prompt to the keys of its images.

    Raises:
        ValueError: such an image.
    """
    for prompt in prompts:
        for key in groups.get(prompt.id, ()):
            told = texts.get(key, prompt.text)
            if told.split() != prompt.text.split():
                raise ValueError(
                    f"the image {key!r} was made for {told!r:.200}, and `--prompts` asks for {prompt.text!r:.200}; "
                    "give the prompts that the images were made from"
                )
