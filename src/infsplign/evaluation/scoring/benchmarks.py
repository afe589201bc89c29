"""From recorded detections to the measures of a benchmark: no image and no model is needed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from infsplign.core.spellings import SPELLINGS
from infsplign.detection import Detection
from infsplign.evaluation.detectors.protocol import ImageDetections
from infsplign.evaluation.metrics import geneval, strict, t2i, visor
from infsplign.evaluation.metrics.names import joined, plain, whole
from infsplign.evaluation.metrics.ratios import Ratios
from infsplign.evaluation.prompts import BenchmarkPrompt, PromptFileError, read_geneval, read_prompts, read_sr2d, read_t2i
from infsplign.evaluation.prompts.prompt import is_full, json_lines
from infsplign.evaluation.prompts.prompt_lists import filled
from infsplign.evaluation.scoring.summary import defined
from infsplign.prompts import named
from infsplign.shipped.worlds import world


class Threshold(NamedTuple):
    """The least score of a detection; `inclusive` where that score itself is enough. Compared in single precision, as detectors do:
    0.10000000149, which is 0.1 there, is not above 0.1."""

    value: float
    inclusive: bool = False

    @property
    def floor(self) -> float:
        """What a detector that keeps `score > floor` must be given: a little below an inclusive threshold, for float32 too."""
        return self.value * (1 - 1e-6) if self.inclusive else self.value

    def keep(self, detections: Sequence[Detection]) -> list[Detection]:
        least = np.float32(self.value)
        if self.inclusive:
            return [found for found in detections if np.float32(found.score) >= least]
        return [found for found in detections if np.float32(found.score) > least]


@dataclass(frozen=True)
class WorldVerdict:
    """VISOR's verdict and the fidelity of an image of a shipped model's world."""

    both: bool
    correct: bool
    strict: bool
    doubled: bool
    shape: float


_DIRECTIONS = tuple(spelling for spelling, r in SPELLINGS.items() if r.equation == "ordered" and len(r.axes) == 1)
Judge = Callable[[ImageDetections, BenchmarkPrompt, Threshold], Any]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark's rule.

    Attributes:
        rule: one line for a report.
        threshold: the published one.
        judge: detections, prompt and threshold to the verdict on one image, a flat dataclass.
        verdict: its class.
        ratios: verdicts of each prompt to measures.
        read: reads a copy of the published prompts.
        label: from an object's name in a prompt to what a detector is asked for.
        parts: names that a detector's label stands for.
        relations: that it measures.
        world: name of the shipped world whose nouns are looked for too, where the prompt names them beside its relation; "" is none.
    """

    rule: str
    threshold: Threshold
    judge: Judge
    verdict: type
    ratios: Callable[[Mapping[str, Sequence[Any]]], Ratios]
    read: Callable[[Path], list[BenchmarkPrompt]]
    label: Callable[[str], str] = str
    parts: Callable[[str], Sequence[str]] = whole
    relations: Collection[str] = _DIRECTIONS
    world: str = ""

    def names(self, prompt: BenchmarkPrompt) -> tuple[str, ...]:
        """What to look for in the images of a prompt, each once."""
        others = [noun for noun, asked in beside(prompt, world(self.world).nouns).items() if asked] if self.world else ()
        return tuple(dict.fromkeys((*map(self.label, (prompt.first, prompt.second)), *others)))

    def asked(self, prompts: Sequence[BenchmarkPrompt]) -> list[BenchmarkPrompt]:
        """The prompts that it measures: of two different objects, in one of its relations.

        Raises:
            ValueError: there is none.
        """
        found = [p for p in prompts if p.relation in self.relations and plain(p.first) != plain(p.second)]
        if not found:
            known = ", ".join(dict.fromkeys(SPELLINGS[relation].name for relation in self.relations))
            such = f", such as {prompts[0].text!r:.100}" if prompts else ""
            raise ValueError(f"none of the {len(prompts)} prompts{such}, asks for exactly one relation that is measured: {known}")
        return found


def beside(prompt: BenchmarkPrompt, nouns: Sequence[str]) -> dict[str, bool]:
    """The nouns of a world that a prompt names beside the objects of its relation, each with whether it asks for one."""
    return named.beside(prompt.text, nouns, (plain(prompt.first), plain(prompt.second)))


def _visor(picture: ImageDetections, prompt: BenchmarkPrompt, threshold: Threshold) -> visor.Verdict:
    return visor.judge(threshold.keep(picture.detections), prompt.first, prompt.relation, prompt.second)


def _geneval(picture: ImageDetections, prompt: BenchmarkPrompt, threshold: Threshold) -> visor.Verdict:
    return geneval.judge(threshold.keep(picture.detections), prompt.first, prompt.relation, prompt.second)


def _t2i(picture: ImageDetections, prompt: BenchmarkPrompt, threshold: Threshold, pick: t2i.Pick) -> t2i.SpatialScore:
    return t2i.score_image(threshold.keep(picture.detections), picture.size, prompt.first, prompt.relation, prompt.second, pick=pick)


def _world(picture: ImageDetections, prompt: BenchmarkPrompt, threshold: Threshold, name: str) -> WorldVerdict:
    verdict = _visor(picture, prompt, threshold)
    objects, others = (prompt.first, prompt.second), beside(prompt, world(name).nouns)
    faith = strict.fidelity(picture.detections, objects, correct=verdict.correct, min_score=threshold.value, beside=others)
    return WorldVerdict(**asdict(verdict), **asdict(faith))


def _world_ratios(verdicts: Mapping[str, Sequence[WorldVerdict]]) -> Ratios:
    relation = {key: [visor.Verdict(v.both, v.correct) for v in row] for key, row in verdicts.items()}
    faith = {key: [strict.Fidelity(v.strict, v.doubled, v.shape) for v in row] for key, row in verdicts.items()}
    return visor.visor_ratios(relation).joined(strict.fidelity_ratios(faith))


_T2I = Benchmark(
    rule="T2I-CompBench 2D spatial, as published",
    threshold=Threshold(0.1),
    judge=partial(_t2i, pick=t2i.official),
    verdict=t2i.SpatialScore,
    ratios=t2i.spatial_ratios,
    read=read_t2i,
    label=t2i.label,
    relations=tuple(spelling for spelling, r in SPELLINGS.items() if r.equation in ("near", "on top") or spelling in _DIRECTIONS),
)
_WORLD = Benchmark(
    rule="shapes world: VISOR, strict, doubled, shape",
    threshold=Threshold(0.6, inclusive=True),
    judge=partial(_world, name="shapes"),
    verdict=WorldVerdict,
    ratios=_world_ratios,
    read=read_prompts,
    world="shapes",
)
BENCHMARKS: dict[str, Benchmark] = {
    "visor": Benchmark(
        rule="VISOR: any pair of boxes, by centres",
        threshold=Threshold(0.1),
        judge=_visor,
        verdict=visor.Verdict,
        ratios=visor.visor_ratios,
        read=read_sr2d,
    ),
    "t2i": _T2I,
    "t2i-infsplign": replace(
        _T2I,
        rule="T2I-CompBench 2D spatial, as the InfSplign authors evaluate it",
        judge=partial(_t2i, pick=t2i.infsplign),
        parts=joined,
    ),
    "geneval": Benchmark(
        rule="GenEval, position: best boxes, by centres",
        threshold=Threshold(0.3),
        judge=_geneval,
        verdict=visor.Verdict,
        ratios=geneval.position_ratios,
        read=read_geneval,
    ),
    "shapes": _WORLD,
    "pictures": replace(
        _WORLD,
        rule="world of pictures: VISOR, strict, doubled, shape",
        threshold=Threshold(0.35, inclusive=True),
        judge=partial(_world, name="pictures"),
        world="pictures",
    ),
}


def read_for(benchmark: str, path: Path) -> list[BenchmarkPrompt]:
    """Reads the prompts of a benchmark: from a copy of the published file, from what `infsplign prompts` has written, or from any file
    that `infsplign eval` and `generate` take, whose prompts have the same ids there.

    Raises:
        PromptFileError: a file in none of these forms; see the benchmark's reader. Or a pipe.
        OSError: the file cannot be read.
    """
    if path.is_fifo():
        raise PromptFileError(f"`--prompts` {str(path)!r} is a pipe, and a file is needed: it is read more than once")
    with path.open("rb") as file:
        begin = file.read(65536).lstrip(b"\xef\xbb\xbf \r\n")
    row, published = begin.partition(b"\n")[0], BENCHMARKS[benchmark].read
    if row.startswith(b'{"id"') and b'"first"' in row and b'"relation"' in row:
        return read_prompts(path) if all(is_full(value) for _, value in json_lines(path)) else filled(path)
    json = begin.startswith((b"[", b"{"))
    listed = begin.startswith(b"[") and b'"obj_1_attributes"' in begin
    own: dict[Any, bool] = {read_sr2d: listed, read_geneval: b'"tag"' in row, read_t2i: not json}
    if own.get(published, False) or not begin:
        try:
            return published(path)
        except PromptFileError:
            if published is not read_t2i or path.suffix.lower() != ".txt":
                raise
    return filled(path)


def judge_all(
    benchmark: Benchmark,
    prompts: Sequence[BenchmarkPrompt],
    groups: Mapping[str, Sequence[str]],
    images: Mapping[str, ImageDetections],
    threshold: Threshold | None = None,
) -> dict[str, list[Any]]:
    """Judges images.

    Args:
        benchmark: the rule.
        prompts: what was asked; those without images are left out.
        groups: id of a prompt to the keys of its images.
        images: key to what was found.
        threshold: instead of the published one.

    Returns:
        Id of a prompt to the verdicts of its images.
    """
    least = benchmark.threshold if threshold is None else threshold
    return {p.id: [benchmark.judge(images[key], p, least) for key in groups[p.id]] for p in prompts if p.id in groups}


def by_relation(
    benchmark: Benchmark, prompts: Sequence[BenchmarkPrompt], verdicts: Mapping[str, Sequence[Any]]
) -> dict[str, dict[str, float | None]]:
    """The measures of each relation's prompts alone, without intervals; undefined ones are None."""
    parts: dict[str, dict[str, Sequence[Any]]] = {}
    for prompt in prompts:
        if prompt.id in verdicts:
            parts.setdefault(prompt.relation, {})[prompt.id] = verdicts[prompt.id]
    found = {}
    for relation in sorted(parts):
        ratios = benchmark.ratios(parts[relation])
        found[relation] = dict(zip(ratios.names, map(defined, ratios.values().tolist()), strict=True))
    return found
