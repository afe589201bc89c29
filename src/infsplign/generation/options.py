"""What images of a prompt are asked for, and the result for one seed. Cheap to import."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from infsplign.core.scenes import Scene
from infsplign.engine.config import AUTO, PLANS, GuidanceConfig
from infsplign.errors import PromptError
from infsplign.evaluation.reading import parse_json, read_text
from infsplign.generation.limits import LARGEST_SIDE, MOST_STEPS
from infsplign.generation.memory import parse_memory
from infsplign.generation.parts import Parts, check_offload, parse_lora
from infsplign.prompts import Entry, parse_prompt, parse_relation, scene_from
from infsplign.shipped.presets import DEFAULT

Triples = list[Entry]


def check_guidance_scale(value: float) -> None:
    """Raises an error for NaN and infinity.

    Raises:
        ValueError: not a finite number.
    """
    if not math.isfinite(value):
        raise ValueError(f"`--guidance-scale` must be a finite number, got {value!r}")


def check_text(name: str, text: str | None) -> None:
    """Checks that a text is valid UTF-8: Python passes invalid bytes of the command line on as surrogates.

    Raises:
        ValueError: it is not.
    """
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        raise ValueError(f"`{name}` must be a text in UTF-8, got {text!r}") from None


@dataclass(frozen=True)
class GenerateOptions:
    """Options of the command, with the same names; None is the model's own value. `prompts` is a file, in place of `prompt`, and
    `key` the id of the prompt in it; `config` is what `preset` held when it was read, once for all prompts."""

    prompt: str = ""
    model: str = DEFAULT
    relations: tuple[str, ...] = ()
    seed: int = 0
    images: int = 1
    steps: int | None = None
    guidance_scale: float | None = None
    scale: float | None = None
    negative_prompt: str | None = None
    height: int | None = None
    width: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    out: Path | None = None
    unguided: bool = True
    prompts: Path | None = None
    preset: Path | None = None
    strength: float | None = None
    stop: float | None = None
    plan: str | None = None
    memory: str | None = None
    offload: str | None = None
    scheduler: str | None = None
    vae: str | None = None
    loras: tuple[str, ...] = ()
    key: str = ""
    config: GuidanceConfig | None = None

    @cached_property
    def parts(self) -> Parts:
        """Parts in place of the model's own."""
        return Parts(self.scheduler, self.vae, tuple(map(parse_lora, self.loras)))

    @cached_property
    def loaded(self) -> GuidanceConfig | None:
        """The options of the preset's file; None without one."""
        return self.config if self.config is not None or self.preset is None else GuidanceConfig.load(self.preset)

    def guided_by(self, own: GuidanceConfig) -> GuidanceConfig:
        """Returns the options of guidance: the preset's, else the model's `own`, changed by those that are asked for. `strength` is the
        bound on the shift, and 0 does not guide: the preset's `scale` reaches the bound at most steps.

        Raises:
            ValueError: values that do not fit each other.
        """
        given: dict[str, Any] = {"scale": self.scale, "stop": self.stop, "plan": self.plan}
        given |= {"max_shift": self.strength} if self.strength != 0 else {"scale": 0.0}
        return (self.loaded or own).with_(**{name: value for name, value in given.items() if value is not None})

    def _tell_of_another_model(self) -> None:
        """Warns of a preset that says it is for another model: layers of one name may know other things there."""
        if self.preset is None:
            return
        made_for = parse_json(read_text(self.preset)).get("model")
        if isinstance(made_for, str) and made_for != self.model:
            warnings.warn(f"`--preset` {str(self.preset)!r} was calibrated for {made_for!r}, and the model is {self.model!r}", stacklevel=2)

    def each(self) -> list["GenerateOptions"]:
        """Returns the options of each prompt: those of the file, or these alone.

        Raises:
            ValueError: both a prompt and a file, or relations for a file, or a file that holds no prompts.
            OSError: the file cannot be read.
        """
        if self.prompts is None:
            return [replace(self, config=self.loaded)]
        if self.prompt:
            raise ValueError("give either PROMPT or `--prompts`, got both")
        if self.relations:
            raise ValueError("`--relation` belongs to one PROMPT; the relations of `--prompts` are read from each prompt")
        from infsplign.evaluation.prompts.prompt_lists import benchmark_prompts
        from infsplign.evaluation.running.images_run import check_ids

        listed = benchmark_prompts(self.prompts)
        check_ids(listed)
        return [replace(self, prompt=one.text, prompts=None, key=one.id, config=self.loaded) for one in listed]

    def scene(self) -> tuple[Scene, Triples | None]:
        """Returns the requested scene and the explicit relations (None if they are read from the prompt).

        Raises:
            ValueError: the prompt or a relation cannot be parsed, or they do not fit each other.
        """
        check_text("PROMPT", self.prompt)
        check_text("--negative-prompt", self.negative_prompt)
        for relation in self.relations:
            check_text("--relation", relation)
        if not self.relations or not self.prompt.strip():
            return self._read(), None
        triples = [parse_relation(text) for text in self.relations]
        return scene_from(self.prompt, triples), triples

    def _read(self) -> Scene:
        try:
            return parse_prompt(self.prompt)
        except PromptError as error:
            raise self.named(error) from None

    def named(self, error: PromptError) -> PromptError:
        """The error, with the id of the prompt where it is one of several."""
        return PromptError(f"`--prompts`, prompt {self.key!r}: {error}") if self.key else error

    def check(self) -> None:
        """Checks numbers that are invalid for every model, before one is loaded.

        Raises:
            ValueError: a value out of range.
        """
        if self.scale is not None:
            GuidanceConfig(scale=self.scale)
        if self.strength is not None and not 0 <= self.strength < math.inf:
            raise ValueError(f"`--strength` must be a finite number >= 0, got {self.strength!r}")
        if self.strength == 0 and self.scale:
            raise ValueError(f"`--strength 0` does not guide, and `--scale {self.scale:g}` would; leave one of them out")
        if self.stop is not None and not 0 <= self.stop <= 1:
            raise ValueError(f"`--stop` must lie in [0, 1], a part of the sampling; got {self.stop}")
        if self.plan is not None and self.plan not in (AUTO, *PLANS):
            raise ValueError(f"`--plan` must be one of {', '.join((AUTO, *PLANS))}; got {self.plan!r}")
        if self.memory is not None:
            parse_memory(self.memory)
            if self.plan == AUTO:
                raise ValueError("`--memory` chooses the plan itself; leave `--plan auto` out")
        check_offload(self.offload, self.device)
        self.parts.check()
        self.guided_by(GuidanceConfig())
        self._tell_of_another_model()
        if self.seed + self.images > 2**32:  # torch's generator on the CPU takes no more bits: it would begin at 0 again
            raise ValueError(f"`--seed` plus `--images` must be at most 2**32, got {self.seed} and {self.images}")
        if self.guidance_scale is not None:
            check_guidance_scale(self.guidance_scale)
        for name, side in (("height", self.height), ("width", self.width)):
            if side is not None and (side % 8 or not 8 <= side <= LARGEST_SIDE):
                raise ValueError(f"`--{name}` must be a multiple of 8 from 8 to {LARGEST_SIDE}, got {side}")
        if self.steps is not None and not 1 <= self.steps <= MOST_STEPS:
            raise ValueError(f"`--steps` must be a whole number from 1 to {MOST_STEPS}, got {self.steps}")


@dataclass(frozen=True)
class Pair:
    """Images of one seed, the trace of guidance, and the SHA-256 of each method's file."""

    seed: int
    guided: Any
    unguided: Any | None
    trace: Sequence[Any]
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> dict[str, Any]:
        """Method to image, in the order in which they are shown."""
        return {"guided": self.guided} if self.unguided is None else {"unguided": self.unguided, "guided": self.guided}
