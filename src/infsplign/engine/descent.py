"""Several gradient steps at one timestep."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from infsplign.engine.guidance import Guidance, GuidedPass

Move = Callable[[Tensor, Any], Tensor]
"""(sum of gradients so far, the denoiser's output of the conditional rows) to what the latents lose."""


def descend(
    engine: Guidance,
    first: GuidedPass,
    sample: Tensor,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    times: int,
    move: Move,
    rows: slice | None = None,
) -> tuple[GuidedPass, tuple[Tensor, ...]]:
    """Guides one step by `times` gradients, each computed at the latents moved by the shift so far.

    At a fixed `x_t = alpha x_0 + sigma eps`, a shift `S` of the noise prediction gives the same `x_0` as the unshifted prediction gives
    at `x_t - sigma S`. So the next gradient is computed there:

        G_1 = grad L(x_t),    G_{k+1} = G_k + grad L(x_t - sigma S(G_k))

    and the noise prediction at `x_t` is shifted by `S(G_times)`. With a plain `S(G) = scale * G` this is gradient descent on the loss
    with the step `sigma * scale`.

    Args:
        first: the result of `engine.run` for the same arguments, `G_1`.
        engine, sample, args, kwargs, rows: see `Guidance.run`.
        times: total number of gradients, >= 1; each is a pass of the denoiser.
        move: `(G, output) -> sigma * S(G)`, of the gradient's shape.

    Returns:
        The first pass with `G_times` in place of its gradient, and the loss (B,) of each further pass.
    """
    part, losses = rows or slice(0, len(sample)), []
    total = first.gradient
    for _ in range(times - 1):
        moved = sample[part] - move(total, first.output).to(sample.dtype)
        whole = torch.cat((sample[: part.start], moved, sample[part.stop :])) if rows else moved
        further = engine.run(whole, args, kwargs, rows=rows)
        total = total + further.gradient
        losses.append(further.report.total)
    return first._replace(gradient=total), tuple(losses)
