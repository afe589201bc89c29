"""Guides ComfyUI's sampling: a post-CFG function, and the state of each run."""

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from infsplign.engine.config import GuidanceConfig
from infsplign.engine.guidance import Guidance
from infsplign.engine.noise_levels import coefficients, timesteps_of
from infsplign.engine.step_arguments import tell_of_window
from infsplign.engine.steps import Steps
from infsplign.engine.timeline import Timeline
from infsplign.engine.trace import StepTrace

from .conditioning import GuidedPrompt, Match, matches
from .unet_pass import Call, UNetPass

_runs: WeakKeyDictionary[Any, "Run"] = WeakKeyDictionary()
"""The latest run of each MODEL. A MODEL does not hold its run, so that its clones do not share it."""


class PostCFG:
    """A post-CFG function: adds the shift of the guidance to the denoised latents.

    It has no state, so that all clones of a MODEL may share it.

    Args:
        prompt: the prompt.
        config: the options.
    """

    def __init__(self, prompt: GuidedPrompt, config: GuidanceConfig) -> None:
        self.prompt, self.config = prompt, config

    def __deepcopy__(self, _memo: Any) -> "PostCFG":
        return self  # ComfyUI copies a MODEL's options deeply when it clones the MODEL

    def __call__(self, args: dict[str, Any]) -> Tensor:
        """Guides one step.

        Args:
            args: of ComfyUI: `model`, `model_options`, `cond`, `sigma`, `input` and `denoised` are read.

        Returns:
            The shifted `denoised`.
        """
        owner = getattr(args["model"], "current_patcher", None) or args["model"]
        run = _runs.get(owner)
        if run is None or not run.continues(args, self):
            run = _runs[owner] = Run(self, args)
        return run.step(args)


def run_of(model: Any) -> "Run | None":
    """Returns the latest run of a MODEL."""
    return _runs.get(model) or _runs.get(model.model)


class Run:
    """One sampling.

    Args:
        guide: the function that guides it.
        args: of its first step, see `PostCFG`.

    Raises:
        ValueError: the sampler does not tell its noise levels, or the model is one of flow matching.
        PromptError: the positive conditioning is not of the prompt, or cannot be read.
        AttentionError: the model's layers are not known.
    """

    def __init__(self, guide: PostCFG, args: dict[str, Any]) -> None:
        self.guide, self.model = guide, args["model"]
        self._transformer, self._sigmas = _identity(args)
        if self._sigmas is None:
            raise ValueError("`transformer_options` must hold `sample_sigmas`: ComfyUI is too old, or this sampler is not its own")
        _check_noise(self.model, args["input"])
        self._last = float("inf")
        self.matches = matches(args["cond"], guide.prompt)
        source, prompt = UNetPass(self.model.diffusion_model), guide.prompt
        self.guidances = {match.offset: self._guidance(source, match.offset) for match in self.matches}
        sigmas = self._sigmas[:-1].float().cpu()
        training = self.model.model_sampling.sigmas.float().cpu()
        self._alphas = 1 / (1 + training**2)
        timeline = Timeline(timesteps_of(sigmas, self._alphas), sigmas, "sample")
        tell_of_window(timeline, guide.config)
        self.steps = Steps(self.guidances[self.matches[0].offset], timeline, keep_maps=True)
        self.passes, self.sigmas = 0, []  # of all passes, and the levels of those in the trace
        self._numbers: list[int] = []  # of those in the trace among all passes
        self.scene, self.text = prompt.scene, prompt.text

    def _guidance(self, source: UNetPass, offset: int) -> Guidance:
        positions = [[position + offset for position in positions] for positions in self.guide.prompt.positions]
        return Guidance(source, source, self.guide.prompt.scene, positions, self.guide.config)

    def continues(self, args: dict[str, Any], guide: PostCFG) -> bool:
        """Whether a step belongs to this run: it has the same options, or copies of them at a lower noise level."""
        transformer, sigmas = _identity(args)
        if guide is not self.guide or args["model"] is not self.model or sigmas is not self._sigmas:
            return False
        level = float(args["sigma"][0])
        return transformer is self._transformer or level < self._last or level == self._last < float(sigmas[0])

    def step(self, args: dict[str, Any]) -> Tensor:
        """Guides one step, by the options, and returns the shifted `denoised`."""
        sigma, latents = args["sigma"], args["input"]
        level = self._last = float(sigma[0])
        self.passes += 1
        place = self.steps.timeline.at(timesteps_of(torch.tensor([level]), self._alphas))
        place = place._replace(**dict(zip(("alpha", "sigma"), coefficients(level, "sample"), strict=True)))
        match = next((match for match in self.matches if match.active(level)), None)
        if match is None:
            return args["denoised"]
        self.sigmas.append(level)
        self._numbers.append(self.passes - 1)
        self.steps.guidance = self.guidances[match.offset]
        self.steps.run(*self._inputs(match, sigma, latents, args["model_options"]), {}, place=place)
        return self.steps.shifted(args["denoised"], latents=latents)

    def trace(self) -> list[StepTrace]:
        """What each step did, numbered among all passes: a conditioning of a part of the sampling may begin late."""
        return [replace(step, step=number) for number, step in zip(self._numbers, self.steps.trace, strict=False)]

    def _inputs(self, match: Match, sigma: Tensor, latents: Tensor, options: Any) -> tuple[Tensor, tuple[Call]]:
        """The U-Net's input, which the gradient is taken with respect to, and the call that makes it."""
        factor = self.model.model_sampling.calculate_input(sigma, sigma.new_ones(len(sigma), 1, 1, 1))
        dtype = self.model.manual_cast_dtype or self.model.get_dtype()
        return (latents * factor).to(dtype), (Call(self.model, match.cond, sigma, factor, options),)


def _identity(args: dict[str, Any]) -> tuple[Any, Any]:
    transformer = args["model_options"].get("transformer_options", {})
    return transformer, transformer.get("sample_sigmas")


def _check_noise(model: Any, latents: Tensor) -> None:
    """Raises ValueError unless `x = x_0 + sigma eps`, for latents of a picture."""
    if latents.ndim != 4:
        raise ValueError(f"`latent_image` must be of pictures, (batch, channels, height, width), got shape {tuple(latents.shape)}")
    one = torch.ones(1, 1, 1, 1)
    signal = model.model_sampling.noise_scaling(torch.full((1,), 0.5), torch.zeros_like(one), one)
    if float(signal.flatten()[0]) != 1:
        raise ValueError("`model` must sample with `x = x_0 + sigma eps`, as Stable Diffusion does; this is one of flow matching")
