"""Fused attention whose second result, the log-sum-exp of the logits, has a gradient.

With the logits l = scale Q K^T + mask, P = softmax(l), L = logsumexp(l) and O = P V, the backward pass of a fused kernel computes

    dl = P * (dO V^T - rowsum(dO * O)),    dQ = scale dl K,    dK = scale dl^T Q,    dV = P^T dO

for any O that it is given. The gradient g of L adds P * g to dl. So the kernel is given an O' with rowsum(dO * O') = rowsum(dO * O) - g,
and its one backward pass computes both gradients.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from infsplign.adapters.kernels import KERNELS, Kernel


def log_sum_exp(query: Tensor, key: Tensor, mask: Tensor | None, scale: float, kernel: Kernel) -> Tensor:
    """Computes `logsumexp(scale * query @ key^T + mask)` over the keys, with a gradient to queries and keys.

    Args:
        query, key: (B, N, S, D) and (B, N, K, D).
        mask: numbers that are added to the logits, of four axes and the type of `query`, broadcastable to (B, N, S, K); or None.
        scale: factor of the logits.
        kernel: from `kernel_for`.

    Returns:
        (B, N, S), in float32 or better.
    """
    return _Fused.apply(query, key, None, mask, scale, kernel)[1]


def attention(query: Tensor, key: Tensor, value: Tensor, scale: float, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Computes `softmax(scale * query @ key^T) @ value`, (B, N, S, D), and the log-sum-exp, (B, N, S); one backward pass serves both."""
    return _Fused.apply(query, key, value, None, scale, kernel)


def kernel_for(query: Tensor, *, masked: bool, chosen: int | None = None) -> Kernel | None:
    """Returns the first kernel that takes such queries and passes its check, see `works`; None if there is none.

    Args:
        query: (B, N, S, D).
        masked: whether there is a mask.
        chosen: value of the `SDPBackend` that torch has chosen, which the kernel must then be; None allows any.
    """
    device = torch.device("cpu") if query.device.type == "meta" else query.device  # tensors without values cannot be checked
    for kernel in KERNELS.get(query.device.type, ()):
        wanted = chosen is None or chosen == kernel.backend.value
        if wanted and kernel.takes(query, masked=masked) and works(kernel, device, query.dtype):
            return kernel
    return None


class _Fused(torch.autograd.Function):
    """Returns (O, L); O is None if there are no values."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor | None, mask: Tensor | None, scale: float, kernel: Kernel
    ) -> tuple[Tensor | None, Tensor]:
        out, given, ctx.rest = kernel.forward(_rows(query), _rows(key), key if value is None else value, mask, scale)
        out = None if value is None else out
        ctx.save_for_backward(query, key, value, mask, out, given)
        ctx.set_materialize_grads(False)
        ctx.scale, ctx.kernel = scale, kernel
        return out, given.flatten(2)[..., : query.shape[2]]  # some operators pad it, or give it a fourth axis

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, value, mask, out, given = ctx.saved_tensors
        d_out, g = gradients
        if d_out is None and g is None:
            return (None,) * 6
        alone = d_out is None
        if alone:
            d_out, value, out = _for_lse_alone(g, query, key)
        elif g is not None:
            d_out, out = _with_lse(d_out, out, g)
        operands = (_rows(d_out), _rows(query), _rows(key), value, mask, out, given, ctx.rest)
        found = ctx.kernel.backward(*operands, ctx.scale)
        return *found[:2], None if alone else found[2], None, None, None


def _for_lse_alone(g: Any, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (dO, V, O) with dO V^T - rowsum(dO * O) = g."""
    behind = (0, query.shape[-1] - 1)
    d_out = F.pad(query.new_full((1, 1, query.shape[2], 1), -1.0), behind).expand_as(query)
    value = key.new_zeros(1, 1, *key.shape[2:]).expand_as(key)
    if query.device.type not in ("cpu", "meta"):  # kernels of other devices may want memory of the usual order
        d_out, value = d_out.contiguous(), value.contiguous()
    return d_out, value, F.pad(g.to(query.dtype)[..., None], behind)


def _with_lse(d_out: Tensor, out: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Returns (dO', O') with rowsum(dO' * O') = rowsum(dO * O) - g.

    O' = O - g dO' / |dO'|^2. So that dO' is not 0, it is dO with its first channel enlarged by less than a rounding error of g. Where g is
    0 it is dO, so that a gradient of exactly 0 stays 0: `normalise` would enlarge its rounding errors to a whole shift.
    """
    info = torch.finfo(d_out.dtype)
    floor = 2.0**-22 if d_out.dtype == torch.float16 else 2 * info.tiny**0.5  # its square must not be 0 in float32
    least = g.abs().mul_(info.eps / 8).clamp_min_(floor).to(d_out.dtype)
    d_out = d_out.clone()
    first = d_out[..., 0]
    first.addcmul_(torch.copysign(least, first), g != 0)
    length = torch.linalg.vector_norm(d_out, dim=-1, dtype=g.dtype).clamp_min_(floor)  # where g is 0 too
    return d_out, torch.addcmul(out, d_out, (g / length).div_(length)[..., None], value=-1).to(out.dtype)


def _rows(x: Tensor) -> Tensor:
    """Makes the last axis contiguous, as kernels require."""
    return x if x.stride(-1) == 1 else x.contiguous()


@cache
def works(kernel: Kernel, device: torch.device, dtype: torch.dtype) -> bool:
    """Tells whether a kernel's results and gradients of a small example agree with the definition.

    It is tried once in a process. It runs in another thread, because torch modes of the caller (recording, counting, autocast) are local
    to the caller's thread.
    """
    try:
        with ThreadPoolExecutor(1) as pool:
            return all(pool.submit(_agrees, kernel, device, dtype, masked=masked).result() for masked in {False, kernel.masks})
    except Exception:  # the operator is missing, has other arguments, or refuses the device
        return False


def _agrees(kernel: Kernel, device: torch.device, dtype: torch.dtype, *, masked: bool) -> bool:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 40, 16), (2, 3, 70, 16), (2, 3, 70, 16), (2, 3, 40, 16), (2, 3, 40), (2, 1, 1, 70))
    made = [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]
    made[3][:, :, ::5] = 0  # rows that only the log-sum-exp gives a gradient
    tolerance = (16 if dtype.itemsize == 2 else 1e3) * torch.finfo(dtype).eps

    def results(operands: list[Tensor], *, fused: bool) -> list[Tensor]:
        query, key, value, d_out, g, mask = operands
        leaves = query, key, value = [x.detach().requires_grad_() for x in (query, key, value)]
        if not fused:
            logits = 0.3 * query @ key.mT + (mask if masked else 0)
            out, lse = logits.softmax(-1) @ value, logits.logsumexp(-1)
        else:
            out, lse = _Fused.apply(query, key, value, mask if masked else None, 0.3, kernel)
        alone = torch.autograd.grad(lse, leaves[:2], g.to(lse.dtype), retain_graph=True)
        return [out, lse, *alone, *torch.autograd.grad((out, lse), leaves, (d_out, g.to(lse.dtype)))]

    found = results([x.to(device) for x in made], fused=True)
    expected = results([x.double() for x in made], fused=False)
    return all(bool((x.detach().cpu() - y).abs().max() < tolerance * y.abs().max()) for x, y in zip(found, expected, strict=True))
