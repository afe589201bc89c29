"""What images of a prompt are asked for, and the result for one seed. Cheap to import."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infsplign.core.scenes import Scene
from infsplign.engine.config import GuidanceConfig
from infsplign.prompts import Entry, parse_prompt, parse_relation, scene_from

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
    """Options of the command `generate`, with the same names; None is the model's own value."""

    prompt: str
    model: str = "shapes"
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
            return parse_prompt(self.prompt), None
        triples = [parse_relation(text) for text in self.relations]
        return scene_from(self.prompt, triples), triples

    def check(self) -> None:
        """Checks numbers that are invalid for every model, before one is loaded.

        Raises:
            ValueError: a value out of range.
        """
        if self.scale is not None:
            GuidanceConfig(scale=self.scale)
        if self.seed + self.images > 2**63:
            raise ValueError(f"`--seed` must be < 2**63, got {self.seed}")
        if self.guidance_scale is not None:
            check_guidance_scale(self.guidance_scale)
        for name, side in (("height", self.height), ("width", self.width)):
            if side is not None and side % 8:
                raise ValueError(f"`--{name}` must be a multiple of 8, got {side}")


@dataclass(frozen=True)
class Pair:
    """Images of one seed, and the trace of guidance."""

    seed: int
    guided: Any
    unguided: Any | None
    trace: Sequence[Any]

    @property
    def images(self) -> dict[str, Any]:
        """Method to image, in the order in which they are shown."""
        return {"guided": self.guided} if self.unguided is None else {"unguided": self.unguided, "guided": self.guided}
