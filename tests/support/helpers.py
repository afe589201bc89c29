"""What the rows of the support table share: guided and unguided calls, and what must hold of them."""

from typing import Any

import torch

from infsplign import PAPER, GuidanceConfig, guide
from infsplign.engine.trace import StepTrace
from infsplign.testing.module_state import module_state

PROMPT = "a circle to the left of a square"
STRONG = PAPER.with_(scale=3000.0)


def latents(pipe: Any, prompt: Any = PROMPT, **options: Any) -> torch.Tensor:
    """The latents of a call of a pipeline, three steps from seed 0."""
    call = {"num_inference_steps": 3, "output_type": "latent", "generator": torch.Generator().manual_seed(0)} | options
    return pipe(prompt, **call).images


def traced(pipe: Any, config: GuidanceConfig = STRONG, prompt: Any = PROMPT, **options: Any) -> tuple[torch.Tensor, list[StepTrace]]:
    """The guided latents, and what was done at each step."""
    with guide(pipe, PROMPT, config=config) as guidance:
        out = latents(pipe, prompt, **options)
    return out, guidance.trace


def guides_and_detaches(pipe: Any, denoiser: Any = None, **options: Any) -> list[StepTrace]:
    """Every step is guided, images move, scale 0 changes nothing, and nothing is left behind."""
    denoiser = denoiser if denoiser is not None else pipe.unet
    plain = latents(pipe, **options)
    before = module_state(denoiser)
    zero, _ = traced(pipe, GuidanceConfig(scale=0.0), **options)
    assert torch.equal(zero, plain), "scale 0 changes the image"
    guided, trace = traced(pipe, **options)
    assert [step.guided for step in trace] == [True] * max(1, len(trace)), "not every step was guided"
    assert torch.isfinite(guided).all()
    assert (guided - plain).norm() > 1e-4 * plain.norm(), "guidance did nothing"
    assert module_state(denoiser) == before, f"left behind: {before.missing(module_state(denoiser))}"
    assert torch.equal(latents(pipe, **options), plain), "the pipeline is not what it was"
    return trace


def same_gradient(trace: list[StepTrace], other: list[StepTrace], rtol: float = 1e-3) -> None:
    """The first step's gradients agree."""
    a, b = (steps[0].gradient_norm for steps in (trace, other))
    assert None not in (a, b), "the first step was not guided"
    assert torch.allclose(a, b, rtol=rtol), f"the gradient is {a.tolist()}, not {b.tolist()}"
