"""Which factors of the loss keep its half-precision gradient what it is in float32? On the shipped models, along a sampling.

python -m benchmarks.loss_scale --models shapes shapes-pixart      (tune split; writes docs/measured/loss_scale.md)

The relative error `||g_half - g|| / ||g||` of the gradient of each row, at the same latents and with the weights rounded to half in both,
so that only the arithmetic differs: the median over rows, the largest, and how many rows had a number that is not finite.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.layers import reading
from infsplign import PAPER, Guidance, guide
from infsplign.adapters import backbone_for
from infsplign.engine.loss_scale import LossScale
from infsplign.evaluation.prompts.world_prompts import prompts, seed
from infsplign.shipped import PRESETS, load

FACTORS = tuple(2.0**power for power in (-10, -5, 0, 5, 10, 14, 18, 22, 26, 30))
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


class Scaled(LossScale):
    """A factor that stays, whatever the type and whatever it does."""

    def scaled(self, loss: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return loss * self.first

    def unscaled(self, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.float() / self.first


def inputs_along(pipe: Any, name: str, texts: Sequence[str], every: int) -> tuple[list[tuple[torch.Tensor, tuple, dict]], Any]:
    """What the denoiser's conditional rows get at each `every`-th step of an unguided sampling, and the guidance's text positions."""
    preset, seen = PRESETS[name], []
    with guide(pipe, list(texts), config=reading(PAPER.with_(scale=1e-9), preset.config.layers)) as guidance:
        source, record = guidance.source, guidance.source.record

        def spied(sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            seen.append((sample.detach().clone(), args, kwargs))
            return record(sample, *args, **kwargs)

        source.record = spied  # type: ignore[method-assign]
        generators = [torch.Generator().manual_seed(seed("tune", text, 0)) for text in texts]
        options = {"num_inference_steps": preset.steps, "guidance_scale": preset.guidance_scale, "generator": generators}
        pipe(list(texts), output_type="latent", **options, **preset.call)
    return seen[::every], guidance


def gradients(denoiser: Any, backbone: Any, guidance: Any, inputs: Sequence[tuple], dtype: torch.dtype, factor: float) -> torch.Tensor:
    """Gradients of all rows at all steps, in float32: (rows, ...)."""
    source = backbone.source(denoiser, guidance.config.layers)
    engine = Guidance(denoiser, source, guidance.scenes, guidance.token_indices, guidance.config)
    engine._loss_scale = Scaled(factor)
    found = []
    for sample, args, kwargs in inputs:
        cast = [{key: _to(value, dtype) for key, value in kwargs.items()}, tuple(_to(value, dtype) for value in args)]
        found.append(engine.run(sample.to(dtype), cast[1], cast[0]).gradient)
    return torch.cat(found)


def _to(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim > 1 else value


def errors(half: torch.Tensor, full: torch.Tensor) -> tuple[float, float, int]:
    """Median and largest relative error of rows, and how many are not finite."""
    each = (half - full).flatten(1).norm(dim=1) / full.flatten(1).norm(dim=1)
    finite = torch.isfinite(each)
    some = each[finite]
    return (float(some.median()), float(some.max()), int((~finite).sum())) if len(some) else (float("nan"), float("nan"), len(each))


def table(name: str, texts: Sequence[str], every: int) -> list[str]:
    pipe = load(name)
    pipe.set_progress_bar_config(disable=True)
    backbone = backbone_for(pipe)
    denoiser = getattr(pipe, backbone.denoiser)
    inputs, guidance = inputs_along(pipe, name, texts, every)
    lines = [f"\n`{name}`:\n", "| factor | " + " | ".join(f"{d} median | largest | not finite" for d in DTYPES) + " |", "|---" * 7 + "|"]
    columns = {}
    for label, dtype in DTYPES.items():
        rounded = denoiser.to(dtype).float()
        full = gradients(rounded, backbone, guidance, inputs, torch.float32, 1.0)
        half = denoiser.to(dtype)
        columns[label] = [errors(gradients(half, backbone, guidance, inputs, dtype, factor), full) for factor in FACTORS]
        size = full.flatten(1).abs()
        middle, largest = float(size.median()), float(size.max())
        denoiser = getattr(load(name), backbone.denoiser)
    for number, factor in enumerate(FACTORS):
        cells = [columns[label][number] for label in DTYPES]
        lines.append(f"| 2^{int(torch.tensor(factor).log2())} | " + " | ".join(f"{m:.2g} | {w:.2g} | {n}" for m, w, n in cells) + " |")
    rows = len(texts) * len(inputs)
    sizes = f"Entries of the gradient: median {middle:.1e}, largest {largest:.1e}."
    lines.append(f"\n{rows} rows: {len(texts)} prompts at {len(inputs)} steps. {sizes}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["shapes"], choices=tuple(PRESETS))
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--every", type=int, default=10, help="steps from one measured to the next")
    parser.add_argument("--out", type=Path, default=Path("docs/measured/loss_scale.md"))
    options = parser.parse_args()
    command = f"python -m benchmarks.loss_scale --models {' '.join(options.models)} --prompts {options.prompts} --every {options.every}"
    lines = [f"Relative error of the loss gradient in half precision, by the factor of the loss. Command: `{command}`."]
    for name in options.models:
        texts = [p.text for p in prompts("tune", options.prompts, PRESETS[name].world)]
        lines += table(name, texts, options.every)
    options.out.write_text("\n".join(lines) + "\n")
    print(options.out.read_text())


if __name__ == "__main__":
    main()
