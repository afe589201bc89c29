"""`GuidanceConfig`: all options of guidance, frozen."""

import warnings
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

from infsplign.core.attention import LEVELS
from infsplign.core.losses import CompoundLoss, LossTerm, paper_loss
from infsplign.core.penalties import Penalty, gelu, relu
from infsplign.core.terms import excite, unity
from infsplign.engine import config_file

PLANS = ("split", "batched", "checkpoint")
WIDEST = 1.0
"""`max_shift` above which a shift is larger than the noise."""
AUTO = "auto"


@dataclass(frozen=True)
class GuidanceConfig:
    """Options of guidance. The fields' defaults are those of the published sweep for Stable Diffusion (arXiv 2512.17851), `PAPER`, but for
    `plan`; `guide` without a configuration uses `RECOMMENDED`.

    The options from `every` on are off by default; `docs/adaptive.md` explains what each does and when to use it.

    Attributes:
        scale: eta, factor of the loss gradient that is added to the noise prediction; 0 does not change the pipeline.
        alpha: slope of the spatial loss.
        margin: required gap between centroids, in widths (heights) of the image.
        spatial, presence, balance: weights of the loss terms.
        penalty: cost of a violated margin, a function of `infsplign.core.penalties`.
        loss: your own loss instead of the paper's; the six fields above it are then unused.
        start, stop: guided part of the sampling. A step is guided when `start <= progress < stop`. For evenly spaced timesteps `progress`
            is i / n at step i of n; for others it is computed from the noise, see `infsplign.engine.noise_levels.progress`.
        update: "epsilon" gives every parametrisation the same shift of the noise; "direct" adds the gradient to the
            model's output, whatever it is, as the published code does.
        max_gain: upper bound of the factor that converts a shift of the noise to one of v, x_0 or velocity.
        plan: "auto" lets `guide` choose one of the others when a call begins, by memory and operations, see `infsplign.cost.choice`;
            with `Guidance` and `Steps` it is "split".
            "split" runs the conditional half of a guided step separately, and keeps the tensors that its gradient needs.
            "checkpoint" keeps only the inputs of the blocks and recomputes the blocks: a fraction of the memory, for about a third of a
            step more. "batched" runs both halves in one call: twice the memory and gradient, but half the calls; use it if kernel
            launches dominate the time. The images are the same, to rounding.
        layers: level ("coarse", "middle") to the exact names of the attention modules that are read; the family's when None.
        terms: further loss terms, see `infsplign.core.losses.LossTerm`.
        every: guide each `every`-th step of the guided part.
        reuse: in the steps between, shift by the last gradient again.
        patience: pause a row after its scene has held in this many consecutive looks, until it no longer holds; None never pauses.
        margin_hold: for `patience`, least gap at which a relation holds; like `margin`, multiplied by the relation's own factor.
        watch_every: during a pause, look at every `watch_every`-th step that would be guided.
        schedule: function from the progress in the guided part, in [0, 1), to a factor of `scale`: see `infsplign.engine.weight_schedules`.
        normalise: give each row's shift of the noise prediction the RMS `scale`, in standard deviations of the noise.
        max_shift: bound on the RMS of each row's shift of the noise prediction, in standard deviations of the noise. Its meaning
            does not depend on what the model predicts.
        repeats: number of gradients at one timestep, each computed at the latents moved by the shift so far.
        repeats_until: a step has several gradients only when `progress < repeats_until`.
        resize: side to which maps are resized before the loss, 64 in the published code; None does not resize them.
        wrt: what the gradient is taken with respect to. "input" is the denoiser's input, under which `scale` means the same with every
            scheduler; "latents", as published, is what schedulers of the Karras kind divide by `sqrt(sigma^2 + 1)` to get that input.
            In a sampler of your own, `Steps.shifted` is given that factor.

    Raises:
        ValueError: a value out of range.
    """

    scale: float = 1000.0
    alpha: float = 1.5
    margin: float = 0.25
    spatial: float = 0.5
    presence: float = 1.0
    balance: float = 1.0
    penalty: Penalty = gelu
    loss: CompoundLoss | None = None
    start: float = 0.0
    stop: float = 1.0
    update: str = "epsilon"
    max_gain: float = 20.0
    plan: str = AUTO
    layers: Mapping[str, tuple[str, ...]] | None = None
    terms: tuple[LossTerm, ...] = ()
    every: int = 1
    reuse: bool = False
    patience: int | None = None
    margin_hold: float = 0.0
    watch_every: int = 1
    schedule: Callable[[float], float] | None = None
    normalise: bool = False
    max_shift: float | None = None
    repeats: int = 1
    repeats_until: float = 0.25
    resize: int | None = None
    wrt: str = "input"

    def __post_init__(self) -> None:
        self._check_all()
        self._warn_of_size({"max_shift", "normalise"}, stacklevel=4)

    def _warn_of_size(self, given: Collection[str], stacklevel: int) -> None:
        """Warns of a shift larger than the noise, if the options that make it so are among the `given` ones: else it has been told."""
        if {"normalise", "scale", "max_shift"} & set(given) and self.normalise and self.max_shift is None and self.scale > WIDEST:
            told = "makes the shift larger than the noise: with `normalise` it is the shift's size in deviations of the noise, such as 0.05"
            warnings.warn(f"`scale` {self.scale:g} {told}", stacklevel=stacklevel)
        if "max_shift" in given and self.max_shift is not None and self.max_shift > WIDEST:
            told = "lets the shift be larger than the noise: it is in standard deviations of the noise; `RECOMMENDED` has"
            warnings.warn(f"`max_shift` {self.max_shift:g} {told} {RECOMMENDED.max_shift:g}", stacklevel=stacklevel)

    def _check_all(self) -> None:
        for name in ("scale", "alpha", "spatial", "presence", "balance"):
            self._check(name, "be a finite number >= 0", lambda value: _number(value) and 0 <= value < float("inf"))
        for name in ("margin", "margin_hold"):
            self._check(name, "lie in [0, 1], a part of the picture", lambda value: _number(value) and 0 <= value <= 1)
        for name in ("start", "stop", "repeats_until"):
            self._check(name, "lie in [0, 1], a part of the sampling", lambda value: _number(value) and 0 <= value <= 1)
        if self.start > self.stop:
            raise ValueError(f"`start` and `stop` must satisfy 0 <= start <= stop <= 1, got {self.start!r} and {self.stop!r}")
        self._check("update", 'be "epsilon" or "direct"', lambda value: value in ("epsilon", "direct"))
        self._check("plan", f"be one of {', '.join((AUTO, *PLANS))}", lambda value: value in (AUTO, *PLANS))
        self._check("max_gain", "be a number > 0", lambda value: _number(value) and value > 0)
        for name in ("every", "watch_every", "repeats"):
            self._check(name, "be a whole number >= 1", _counts)
        for name in ("reuse", "normalise"):
            self._check(name, "be True or False", lambda value: isinstance(value, bool))
        self._check("patience", "be None or a whole number >= 1", lambda value: value is None or _counts(value))
        self._check(
            "max_shift", "be None or a finite number > 0", lambda value: value is None or (_number(value) and 0 < value < float("inf"))
        )
        self._check("penalty", "be a function of `infsplign.core.penalties`", callable)
        self._check("loss", "be None or a `CompoundLoss`", lambda value: value is None or isinstance(value, CompoundLoss))
        self._check("schedule", "be None or a function from progress to a factor", lambda value: value is None or callable(value))
        self._check("terms", "be a tuple of `LossTerm`s", _terms)
        wanted = f"map levels ({' or '.join(LEVELS)}) to tuples of module names, each in one level"
        self._check("layers", wanted, lambda value: value is None or _layers(value))
        if self.layers is not None:  # a copy: the caller may go on to change his own
            object.__setattr__(self, "layers", {level: tuple(names) for level, names in self.layers.items()})
        self._check("resize", "be None or a whole number >= 2", lambda value: value is None or (_counts(value) and value >= 2))
        self._check("wrt", 'be "input" or "latents"', lambda value: value in ("input", "latents"))
        if self.repeats > 1 and self.update != "epsilon":
            raise ValueError('`repeats` must be 1 with `update="direct"`: where the latents would move is known for a shift of the noise')
        if self.repeats > 1 and self.repeats_until <= self.start < self.stop:
            raise ValueError(
                f"`repeats_until` must be above `start`, {self.start:g}, where `repeats` is above 1, got {self.repeats_until:g}: no guided "
                "step would repeat its gradient"
            )
        if self.repeats > 1 and self.wrt != "input":
            raise ValueError('`repeats` must be 1 with `wrt="latents"`: gradients are repeated at moved inputs of the denoiser')

    def _check(self, name: str, wanted: str, holds: Callable[..., bool]) -> None:
        value = getattr(self, name)
        if not holds(value):
            raise ValueError(f"`{name}` must {wanted}, got {value!r}")

    def with_(self, **changes: object) -> "GuidanceConfig":
        """Returns a copy with some fields changed.

        Raises:
            TypeError: there is no such field.
            ValueError: a value out of range.
        """
        known = [option.name for option in fields(self)]
        for name in changes:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                raise TypeError(f"GuidanceConfig has no option {name!r}; {f'did you mean {near[0]!r}?' if near else f'it has {known}'}")
        changed = copy(self)
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        changed._check_all()
        changed._warn_of_size(changes, stacklevel=3)
        return changed

    def save(self, path: str | Path, **about: Any) -> None:
        """Writes these options to a JSON file, a preset, whole or not at all.

        Args:
            path: of the file; one that is there is replaced.
            about: what else the file is to say, such as `model="owner/name"`; JSON types. `load` does not read it.

        Raises:
            ValueError: `penalty`, `schedule`, `terms` or `loss` has a function that this package does not have.
            OSError: the file cannot be written.
        """
        config_file.write(self, Path(path), about)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads a preset that `save` wrote. Fields that are missing have the defaults of the class.

        Raises:
            ValueError: it holds something else, an unknown field or a value out of range.
            OSError: it cannot be read.
        """
        return config_file.read(cls, Path(path))

    def compound(self) -> CompoundLoss:
        """The loss that these options describe.

        Raises:
            ValueError: one of `terms` has the name of another term.
        """
        loss = self.loss or paper_loss(
            alpha=self.alpha, margin=self.margin, spatial=self.spatial, presence=self.presence, balance=self.balance, penalty=self.penalty
        )
        return replace(loss, terms=(*loss.terms, *self.terms)) if self.terms else loss

    def within(self, progress: float) -> bool:
        """Tells whether a step at `progress` lies in the guided part; `every` and `patience` may leave it out."""
        return self.scale != 0 and self.start <= progress < self.stop

    def weight(self, progress: float) -> float:
        """The factor of `scale` at a guided step.

        Raises:
            ValueError: `schedule` gives a number that is negative or not finite.
            TypeError: it gives no number.
        """
        if self.schedule is None:
            return 1.0
        part = (progress - self.start) / (self.stop - self.start)
        found = self.schedule(part)
        try:
            factor = float(found)
        except (TypeError, ValueError) as error:
            raise TypeError(f"`schedule` must give a number, got {found!r:.100} at progress {part:g}") from error
        if not 0 <= factor < float("inf"):
            raise ValueError(f"`schedule` must give a finite number >= 0, got {factor!r} at progress {part:g}")
        return factor

    def gradients(self, progress: float) -> int:
        """How many gradients a guided step takes."""
        return self.repeats if progress < self.repeats_until else 1


def check_config(config: object) -> None:
    """Raises TypeError unless `config` is None or a `GuidanceConfig`."""
    if config is None or isinstance(config, GuidanceConfig):
        return
    hint = f"; write GuidanceConfig({', '.join(f'{k}={v!r}' for k, v in config.items())})" if isinstance(config, Mapping) else ""
    raise TypeError(f"`config` must be a GuidanceConfig or None, got {type(config).__name__} {config!r}{hint}")


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _layers(value: object) -> bool:
    """Whether it maps known levels to sequences of names."""
    if not isinstance(value, Mapping) or not value or not all(isinstance(names, tuple | list) for names in value.values()):
        return False
    if not all(level in LEVELS and names and all(isinstance(name, str) for name in names) for level, names in value.items()):
        return False
    levels = [set(names) for names in value.values()]
    return len(set().union(*levels)) == sum(map(len, levels))  # no name in two levels


def _terms(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(term, LossTerm) for term in value)


def _counts(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


PAPER = GuidanceConfig(plan="split")
"""The published sweep for SD1.4 and SD2.1. The plan is fixed, so that the free memory of a machine decides nothing."""
PAPER_SDXL = PAPER.with_(margin=0.5)
"""The published sweep for SDXL."""
PAPER_CLI = PAPER.with_(alpha=0.75, spatial=1.0)
"""The defaults of the published command line."""
RECOMMENDED = GuidanceConfig(
    scale=5000.0,
    max_shift=0.15,
    spatial=2.0,
    penalty=relu,
    margin=0.1,
    presence=0.0,
    balance=0.0,
    terms=(excite(0.2), unity(1.0)),
    stop=0.5,
)
"""The default of `guide`: a bounded shift in the first half of the steps, a spatial term without gradient once the gap
of attention is a tenth of the image, and `unity`, which keeps each object in one blob. `docs/adaptive.md` has its figures."""
RECOMMENDED_JOINT = RECOMMENDED.with_(max_shift=0.1)
"""The default of `guide` for joint attention (Stable Diffusion 3, Flux, Qwen-Image, CogView4): `RECOMMENDED` with a tighter bound. Under
0.15 the shipped MMDiT loses objects that it keeps under 0.1: `docs/adaptive.md`."""


def as_published(config: GuidanceConfig) -> GuidanceConfig:
    """Changes `config` to compute as the published code does: resize maps to 64x64, take the gradient with respect to the latents before
    the scheduler scales them, and add it to the model's output, whatever it is."""
    return config.with_(update="direct", resize=64, wrt="latents")


PUBLISHED = as_published(PAPER)
"""The published code, to rounding: `PAPER`, computed as there. `docs/method.md` lists what else affects its results."""
PUBLISHED_SDXL = as_published(PAPER_SDXL)
"""The published code for SDXL."""
