"""Reads attention from the outputs of a module's `to_q` and `to_k`, for modules that compute the softmax by code of their own.

The processors of diffusers compute the softmax of these outputs. Other code may change them first, for instance by a rotary embedding. The
first time, the attention is therefore compared with what the module passes to `to_out`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from infsplign.adapters.sdpa import SdpaCall
from infsplign.engine.interrupts import attachments, uninterrupted
from infsplign.engine.patching import within
from infsplign.errors import AttentionError

CLOSE = 64.0
"""Largest difference of two results that are the same: this multiple of the type's precision, times the largest result."""


class Projections:
    """Keeps what the parts of one module computed during its call.

    Args:
        name: of the module, for errors.
        module: with `heads`, `to_q` and `to_k`, as `Attention` of diffusers; for processors of other libraries also `to_v` and `to_out`.
    """

    def __init__(self, name: str, module: nn.Module) -> None:
        self.name, self.module = name, module
        self.outputs: dict[str, Tensor] = {}
        self.attended: Tensor | None = None
        self.thread = get_ident()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watches the parts inside the block."""
        with attachments() as stack:
            with uninterrupted():
                for part in ("to_q", "to_k", "to_v"):
                    found = getattr(self.module, part, None)
                    if isinstance(found, nn.Module):
                        stack.callback(found.register_forward_hook(partial(self._projected, part)).remove)
                last = getattr(self.module, "to_out", None)
                last = last[0] if isinstance(last, (nn.ModuleList, nn.Sequential)) and len(last) else last
                if isinstance(last, nn.Module):
                    stack.callback(last.register_forward_pre_hook(self._attended).remove)
            yield

    def clear(self) -> None:
        """Forgets the previous call."""
        self.outputs.clear()
        self.attended = None

    def call(self, mask: Tensor | None, *, known: bool) -> SdpaCall | None:
        """Returns the attention of the latest call; None if the module has not these parts, or did not run them.

        Args:
            mask: (B, K) or (B, 1, K), already additive when it reaches an attention module; or None.
            known: whether an earlier call was compared already.

        Raises:
            AttentionError: it is not what the module computed, or that cannot be told.
        """
        if not {"to_q", "to_k"} <= set(self.outputs) or not isinstance(getattr(self.module, "heads", None), int):
            return None
        query, key = (self._heads(self.outputs[part], part[-1]) for part in ("to_q", "to_k"))
        if mask is not None:
            mask = mask.reshape(mask.shape[0], 1, -1, mask.shape[-1])
        found = SdpaCall(query, key, None, float(getattr(self.module, "scale", query.shape[-1] ** -0.5)), mask)
        if not known and not type(getattr(self.module, "processor", None)).__module__.startswith("diffusers."):
            self._compare(found)
        return found

    @torch.no_grad()
    def _compare(self, found: SdpaCall) -> None:
        remedy = "Call `scaled_dot_product_attention` there, or see 'Attention that cannot be recorded' in docs/writing-an-adapter.md"
        if "to_v" not in self.outputs or self.attended is None:
            raise AttentionError(
                f"`{self.name}` does not call `scaled_dot_product_attention`, and without `to_v` and `to_out` it cannot be told whether it "
                f"attends by the outputs of `to_q` and `to_k` alone. {remedy}"
            )
        if not self._agrees(found, self._split(self.outputs["to_v"]), self.attended):
            raise AttentionError(
                f"`{self.name}` does not attend by the outputs of `to_q` and `to_k` alone: what it passes to `to_out` is another "
                f"result, as with a rotary embedding in between. {remedy}"
            )

    @staticmethod
    def _agrees(found: SdpaCall, value: Tensor, attended: Tensor) -> bool:
        """Whether the attention of `value` (B, N, K, D) is what was `attended` (B, Q, N D)."""
        if found.query.shape[-1] != found.key.shape[-1] or found.key.shape[:3] != value.shape[:3]:
            return False
        logits = found.query.float() @ found.key.float().mT * found.scale
        result = (logits if found.mask is None else logits + found.mask).softmax(-1) @ value.float()
        result, true = result.transpose(1, 2).flatten(2), attended.float()
        near = CLOSE * torch.finfo(attended.dtype).eps * float(true.abs().max())
        return result.shape == true.shape and bool(((result - true).abs() <= near).all())

    def _projected(self, part: str, _module: nn.Module, _args: Any, output: Tensor) -> None:
        if within(self.thread):
            self.outputs.setdefault(part, output)  # IP-Adapter attends twice in a module, to the text first

    def _attended(self, _module: nn.Module, args: Any) -> None:
        if self.attended is None and args and within(self.thread):
            self.attended = args[0]

    def _split(self, x: Tensor) -> Tensor:
        heads: int = getattr(self.module, "heads")  # noqa: B009 - a plain attribute of diffusers' attention, not a submodule
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    def _heads(self, x: Tensor, which: str) -> Tensor:
        x = self._split(x)
        norm = getattr(self.module, f"norm_{which}", None)
        return norm(x) if norm is not None else x
