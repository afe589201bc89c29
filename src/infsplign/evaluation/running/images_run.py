"""Images of several methods for any list of prompts, in the folder of a run: one seed an image, whoever makes it and whenever."""

import hashlib
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from infsplign.engine.config import GuidanceConfig
from infsplign.evaluation import fingerprint
from infsplign.evaluation.files import NAME, OutputError, write_json
from infsplign.evaluation.locking import locked
from infsplign.evaluation.reading import short
from infsplign.evaluation.running.job import Sampler, Task
from infsplign.evaluation.running.method_folder import MethodFolder, read_lines
from infsplign.evaluation.running.run_folder import LONGEST_ID, RESULTS, SettingsError, check_names, open_run, read_manifest
from infsplign.evaluation.running.runner import FailedError, Inspect, InspectedBy, Local, Workers, make_images

Methods = Mapping[str, GuidanceConfig | None]
SEED_RULE = "first 4 bytes of sha256(benchmark, id of the prompt, index)"


class Prompt(Protocol):
    """A prompt, and the name that its images are filed under."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...


class SettledSampler(Sampler, Protocol):
    """A sampler that can tell all that decides its images, as JSON."""

    def settings(self) -> Mapping[str, Any]: ...


class SettledWorkers(Workers, Protocol):
    """Workers that can tell the same."""

    def settings(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Run:
    """What to make.

    Attributes:
        benchmark: its name.
        prompts: in order; a longer list must begin with the shorter one for a run to be gone on with.
        images: a prompt.
        methods: name to options, None being unguided.
        seed: (prompt, index) to the seed of the image.
        batch: images at once.
        settings: further ones, kept in the manifest.

    Raises:
        ValueError: an argument out of range, or an id that is there twice or cannot name a file.
    """

    benchmark: str
    prompts: Sequence[Prompt]
    images: int
    methods: Methods
    seed: Callable[[Any, int], int]
    batch: int = 8
    settings: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name, value in (("images", self.images), ("batch", self.batch)):
            if not hasattr(value, "__index__") or value < 1:
                raise ValueError(f"`{name}` must be a whole number >= 1, got {value!r}")
            object.__setattr__(self, name, operator.index(value))  # those of numpy are none of JSON, in which the run is told at its end
        object.__setattr__(self, "prompts", tuple(self.prompts))  # they are gone through several times
        if not self.methods:
            raise ValueError("`methods` must name at least one method, got none")
        check_names(self.methods)
        check_ids(self.prompts)

    def key(self, prompt: Prompt, index: int) -> str:
        """The name of a file. Never the prompt: those are too long, and hold what no file name can."""
        return f"{prompt.id}_{index:02d}"

    def tasks(self) -> list[Task]:
        """All images, prompt by prompt."""
        return [Task(self.key(p, i), p.text, self.seed(p, i)) for p in self.prompts for i in range(self.images)]

    def keys(self, prompt: Prompt) -> list[str]:
        return [self.key(prompt, index) for index in range(self.images)]


def seed_of(benchmark: str, prompt_id: str, index: int) -> int:
    """The seed of image number `index` of a prompt, 32 bits; it depends on nothing else.

    >>> seed_of("sr2d", "10", 0)
    1095084688
    """
    digest = hashlib.sha256(f"{benchmark}\n{prompt_id}\n{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def check_ids(prompts: Sequence[Prompt]) -> None:
    """Refuses prompts whose images could not be told apart, or not be filed.

    Raises:
        ValueError: no prompt, or an id that is there twice, cannot name a file, or is too long for one.
    """
    if not prompts:
        raise ValueError("`prompts` must hold at least one prompt, got none")
    seen: set[str] = set()
    for prompt in prompts:
        if not NAME.fullmatch(prompt.id) or prompt.id in seen:
            raise ValueError(f"ids of `prompts` must differ and name a file (letters, digits, any of `_.+-`), got {short(prompt.id)}")
        if (size := len(prompt.id.encode())) > LONGEST_ID:
            raise ValueError(f"ids of `prompts` name files and must be at most {LONGEST_ID} bytes, got {size}: {short(prompt.id)}")
        seen.add(prompt.id)


@contextmanager
def made(
    run: Run,
    sampler: SettledSampler | SettledWorkers,
    out: Path,
    inspect: Inspect | None = None,
    *,
    inspected_by: InspectedBy = "",
    progress: bool = True,
) -> Iterator[tuple[dict[str, MethodFolder], dict[str, Any]]]:
    """Makes all images of a run that are not there yet, and keeps other processes out of the folder while the block lasts.

    Yields:
        For each method its images and records, and the facts that any `results.json` begins with.

    Raises:
        SettingsError: the folder holds a run with other settings, or images of other prompts.
        FailedError: no image can be made.
        OutputError: the folder cannot be written, or another run writes there.
    """
    workers: Any = sampler if hasattr(sampler, "work") else Local(sampler)
    extra = {"benchmark": run.benchmark, "images": run.images, "batch": run.batch, **(run.settings or {})}
    settings, tasks = {**extra, **workers.settings()}, run.tasks()
    with locked(out):
        folders = open_run(out, settings, run.methods)
        _check_names_fit(folders, tasks)
        _check_same_prompts(out, folders, tasks)
        with tqdm(total=len(tasks) * len(folders), unit="image", disable=not progress) as bar:
            for name, folder in folders.items():
                bar.set_description(name)
                make_images(folder, tasks, workers, run.methods[name], inspect, inspected_by=inspected_by, batch=run.batch, bar=bar)
        failed = {name: sorted(folder.failures) for name, folder in folders.items() if folder.failures}
        yield (
            folders,
            {
                "settings": fingerprint.plain(settings),
                "options": fingerprint.plain(run.methods),
                "versions": fingerprint.versions(),
                "prompts": len(run.prompts),
                "images": run.images,
                "failed": failed,
            },
        )


def _check_names_fit(folders: Mapping[str, MethodFolder], tasks: Sequence[Task]) -> None:
    """Asks the file system whether it takes the longest name, before anything is made: paths are bounded too, and some bound names more."""
    longest = max((task.key for task in tasks), key=lambda key: len(key.encode()))
    for folder in folders.values():
        try:
            folder.trace_path(longest).lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise OutputError(f"files of the prompt {longest!r} cannot be named in {str(folder.images)!r}: {error.strerror}") from error


def _check_same_prompts(out: Path, folders: Mapping[str, MethodFolder], tasks: Sequence[Task]) -> None:
    """Refuses prompts under ids that another prompt's images have: those would be lost, or be taken for images of these prompts.

    Raises:
        SettingsError: such an image, of any method of the folder.
    """
    texts = {task.key: task.text for task in tasks}
    for name in {**folders, **(read_manifest(out) or {}).get("methods", {})}:
        lines = out / f"{name}.jsonl"
        records = folders[name].records.values() if name in folders else read_lines(lines) if lines.exists() else []
        for record in records:
            key, text = record["key"], record["prompt"]
            if texts.get(key, text) != text and (out / name / f"{key}.png").is_file():
                raise SettingsError(
                    f"`--out` {str(out)!r} holds images of other prompts: {name}/{key}.png is of {short(text)}, asked for is "
                    f"{short(texts[key])}; choose another folder, or remove the images of prompts that have changed"
                )


def whole(run: Run, folders: Mapping[str, MethodFolder]) -> list[Any]:
    """The prompts of which no method lacks an image: methods are compared on the same ones.

    Raises:
        FailedError: there are none.
    """
    lacking = {key for folder in folders.values() for key in folder.failures}
    prompts = [p for p in run.prompts if lacking.isdisjoint(run.keys(p))]
    if not prompts:
        raise FailedError("each prompt lacks an image that could not be made: see the `.failed.json` files; the same command tries again")
    return prompts


def make_benchmark(
    benchmark: str,
    prompts: Sequence[Prompt],
    sampler: SettledSampler | SettledWorkers,
    out: Path,
    *,
    images: int = 4,
    methods: Methods,
    batch: int = 8,
    progress: bool = True,
) -> dict[str, Any]:
    """Makes the images of a benchmark that is scored afterwards, by a detector of one's choice.

    Args:
        benchmark: its name, part of every seed.
        prompts: in the benchmark's order.
        sampler: makes images, or workers who do.
        out: folder of the run.
        images: images a prompt.
        methods: name to options, None being unguided.
        batch: images at once.
        progress: show a bar with the time left.

    Returns:
        What `results.json` holds: settings, numbers of prompts and images, what failed.
    """
    run = Run(benchmark, prompts, images, methods, lambda prompt, index: seed_of(benchmark, prompt.id, index), batch)
    with made(run, sampler, out, progress=progress) as (_, facts):
        results = facts | {"seed_rule": SEED_RULE}
        write_json(out / RESULTS, results)
    return results
