"""Records attention without replacing processors.

While a tapped module runs, a torch mode sees its calls of `scaled_dot_product_attention`. In every family, queries, keys, mask and scale
arrive there after norms and rotary embedding. The results of these calls never change. Where possible, the same fused operator is called
so that it also returns the log-sum-exp of its logits (`infsplign.adapters.sdpa`). In joint attention, where image and text attend to each
other, the recorder takes the queries of the image and all keys. If a processor does not call the function (attention slicing, the
vanilla processor), the recorder takes the outputs of the module's `to_q` and `to_k` instead (`infsplign.adapters.projections`).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from threading import get_ident
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from infsplign.adapters.columns import ColumnAttention, ObjectTokens
from infsplign.adapters.grids import FeatureSizes, merged
from infsplign.adapters.projections import Projections
from infsplign.adapters.sdpa import SdpaCall, with_log_sum_exp
from infsplign.core.attention import QueryKeyAttention, check_level
from infsplign.engine.checkpointing import checkpoints_itself
from infsplign.engine.interrupts import attachments, uninterrupted
from infsplign.engine.patching import swapped_attribute, within
from infsplign.errors import AttentionError

Grid = Callable[[Tensor, Mapping[str, Any]], tuple[int, int]]
"""(sample, the denoiser's keyword arguments) to the (H, W) of its image positions."""
TEXT = ("all", "first", "last")


class AttentionRecorder:
    """An `AttentionSource` for torch modules that attend through `scaled_dot_product_attention`, or `to_q` and `to_k`.

    Args:
        denoiser: module that holds the tapped layers.
        layers: level ("coarse", "middle") to exact module names.
        text: which keys are text: "all" (cross-attention), or in joint attention "first" or "last"; the other keys are the image's.
        grid: function to the (H, W) of the image positions, in row-major order. None finds it from the layer's feature map, or from
            the size of `sample`, which must then be (rows, channels, height, width).
        added: numbers of tokens (registers) that the denoiser adds before and after the text. The maps have no columns for them.

    Attributes:
        reduce: function that each layer's attention is passed through as soon as the layer has run. To read many layers in one pass,
            replace it by one that keeps a few numbers, so that the queries and keys of one layer are in memory at a time.

    Raises:
        AttentionError: a layer is not in the denoiser.
        ValueError: `text` is unknown, or `grid` is None in joint attention; an unknown level, or a module in two of them.
        TypeError: `layers` does not map levels to lists of names.
    """

    def __init__(
        self,
        denoiser: nn.Module,
        layers: Mapping[str, Sequence[str]],
        *,
        text: str = "all",
        grid: Grid | None = None,
        added: tuple[int, int] = (0, 0),
    ) -> None:
        if text not in TEXT or (text != "all" and grid is None):
            raise ValueError(f'`text` must be one of {", ".join(TEXT)}, "first" and "last" together with `grid`; got {text!r}')
        _check_layers(layers)
        modules = dict(denoiser.named_modules())
        missing = [name for names in layers.values() for name in names if name not in modules]
        if missing:
            if any("_orig_mod" in name.split(".") for name in modules):
                raise AttentionError(f"`layers` {', '.join(missing)} are renamed by `torch.compile(part)`; write `part.compile()`")
            raise AttentionError(
                f"`layers` must be modules of {type(denoiser).__name__}, but it has no {', '.join(missing)}; "
                "name some that it has in `GuidanceConfig(layers=...)`, which `infsplign calibrate` finds, or write an adapter for it"
            )
        self.layers = [(level, name, modules[name]) for level, names in layers.items() for name in names]
        self.denoiser, self.text, self.grid, self.added = denoiser, text, grid, added
        self.reduce: Callable[[QueryKeyAttention], Any] = lambda attention: attention
        self._object_tokens = ObjectTokens()
        self._modules = modules
        self._compared: set[Any] = set()
        self._convolved: dict[tuple[int, ...], frozenset[tuple[int, ...]]] = {}

    @contextmanager
    def record(self, sample: Tensor, *_args: Any, **kwargs: Any) -> Iterator[list[QueryKeyAttention]]:
        """See `AttentionSource.record`. After the last tapped layer, the rest of the pass records no graph, unless the denoiser has
        gradient checkpointing on.

        Raises:
            AttentionError: a layer was not seen during the pass, its positions are not those of the image, or `sample` has no height and
                width to find the grid by.
        """
        if self.grid is None and sample.ndim < 4:
            raise AttentionError(
                f"`grid` must be given for a `sample` of shape {tuple(sample.shape)}: packed latents do not tell the height and width of "
                "the image"
            )
        found: dict[str, QueryKeyAttention] = {}
        result: list[QueryKeyAttention] = []
        size = self.grid(sample, kwargs) if self.grid is not None else None
        # a checkpointed block is recomputed for its gradient, which needs the graph of the whole block
        cut = not checkpoints_itself(self._modules.values())
        sizes = FeatureSizes(self._modules, sample, self._convolved.get(tuple(sample.shape[-2:])))

        def keep(level: str, name: str, seen: SdpaCall, lse: Tensor | None = None) -> None:
            if name in found:  # IP-Adapter attends twice in a module, to the text first
                return
            if self.text == "all" and _attends_to_itself(seen):
                raise AttentionError(
                    f"`{name}` attends from the {seen.key.shape[2]} positions of the image to themselves, and not to the text. "
                    "Name modules of cross-attention in `GuidanceConfig(layers=...)`; in diffusers most are called `attn2`"
                )
            parts = self._attention(seen, lse, size or sizes.grid(name, seen.query.shape[2]), len(sample), name)
            attention = ColumnAttention(scale=seen.scale, layer=name, level=level, object_tokens=self._object_tokens, **parts)
            found[name] = self.reduce(attention)
            if cut and len(found) == len(self.layers):
                torch.set_grad_enabled(False)

        grad_enabled = torch.is_grad_enabled()
        with attachments() as stack:
            with uninterrupted():
                stack.callback(torch.set_grad_enabled, grad_enabled)
                if size is None:
                    stack.enter_context(sizes.watched([name for _, name, _ in self.layers]))
                for level, name, module in self.layers:
                    stack.enter_context(_Tap(name, module, partial(keep, level, name), self._compared, may_replace=cut).attached())
            yield result
        absent = [(name, module) for _, name, module in self.layers if name not in found]
        if absent:
            raise AttentionError(_no_maps(absent))
        if size is None:
            self._convolved[sizes.size] = sizes.convolved
        result.extend(found.values())

    def _attention(self, seen: SdpaCall, lse: Tensor | None, size: tuple[int, int], batch: int, name: str) -> dict[str, Any]:
        """Returns the fields of the layer's `ColumnAttention`: only the image's queries, all keys, and which keys are text."""
        query, key, mask = seen.query, seen.key, additive(seen.mask, seen.query)
        positions, keys, image = query.shape[2], key.shape[2], size[0] * size[1]
        before, after = self.added
        if len(query) != batch:
            raise AttentionError(
                f"`{name}` attends in {len(query)} rows where `sample` has {batch}: a processor cuts the image into tiles, or the batch "
                "into parts. Switch it off for this layer, or read another layer: `GuidanceConfig(layers=)`"
            )
        if key.shape[1] < query.shape[1]:  # grouped: several heads of queries share one of keys
            key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
        if self.text == "all":
            if positions != image:
                raise AttentionError(merged(name, positions, f"the image has {size[0]} x {size[1]}"))
            return {"query": query, "key": key, "mask": mask, "lse": lse, "text": (before, keys - after), "grid": size}
        if not image < keys or positions not in (image, keys):
            raise AttentionError(
                f"`{name}` attends from {positions} positions to {keys} keys, which is no joint attention of text and an image of "
                f"{size[0]} x {size[1]}"
            )
        rows = slice(positions - image, positions) if self.text == "first" else slice(0, image)
        if mask is not None and mask.shape[-2] == positions > 1:
            mask = mask[..., rows, :]
        start, stop = (0, keys - image) if self.text == "first" else (image, keys)
        lse = None if lse is None else lse[:, :, rows]
        return {"query": query[:, :, rows], "key": key, "mask": mask, "lse": lse, "text": (start + before, stop - after), "grid": size}


def _check_layers(layers: Any) -> None:
    """Raises an error unless `layers` maps known levels to names, each in one level."""
    if not isinstance(layers, Mapping) or any(isinstance(names, str) for names in layers.values()):
        raise TypeError(f'`layers` must map levels to lists of module names, such as {{"coarse": ("blocks.2",)}}, got {layers!r:.100}')
    for level in layers:
        check_level(level, "layers")
    named = [set(names) for names in layers.values()]
    if twice := sorted(set.intersection(*named) if len(named) > 1 else ()):
        raise ValueError(f"`layers` must name each module in one level, got {', '.join(twice)} in {' and '.join(layers)}")


class _Tap:
    """Watches one module inside a `with` block. Modules whose projections agreed once are added to `compared`, with their processor."""

    def __init__(self, name: str, module: nn.Module, keep: Callable[..., None], compared: set[Any], *, may_replace: bool) -> None:
        self.module, self.keep, self.compared, self.may_replace = module, keep, compared, may_replace
        self.name, self.projections = name, Projections(name, module)
        self.seen, self.recording, self.thread = False, True, get_ident()
        self.first: SdpaCall | None = None
        self.told = False

    @contextmanager
    def attached(self) -> Iterator[None]:
        # not by forward hooks: those that end a pass are skipped when it is interrupted, and a mode would stay on torch's stack
        run = wraps(self.module.forward)(partial(self._run, self.module.forward))
        with attachments() as stack:
            with uninterrupted():
                stack.enter_context(swapped_attribute(self.module, "forward", run))
                stack.enter_context(self.projections.watched())
            try:
                yield
            finally:
                self.recording = False

    def _run(self, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not within(self.thread):  # a pass of another thread, which is not the recorded one
            return forward(*args, **kwargs)
        if self.seen and self.recording:  # a checkpointed block runs again for the gradient, after the pass
            raise AttentionError(
                f"`{self.name}` runs several times in one pass, and only the first would be read. If the denoiser is a function that calls "
                "the model once for each half of classifier-free guidance, give the model, and combine the halves yourself; if the model "
                "runs its layer in a loop, see 'Attention that cannot be recorded' in docs/writing-an-adapter.md"
            )
        self.projections.clear()
        self.first = None
        with _AttentionMode(self._saw_call):
            output = forward(*args, **kwargs)
        if not self.seen:
            processor = getattr(self.module, "processor", None)
            found = self.projections.call(kwargs.get("attention_mask"), known=(self.module, processor) in self.compared)
            if found is not None:
                self.compared.add((self.module, processor))
                self.seen = True
                self.keep(found)
        return output

    def _saw_call(self, seen: SdpaCall) -> Tensor | None:
        """Keeps the operands. Returns the result if it was computed together with the log-sum-exp; None if the call must run.

        Raises:
            AttentionError: a further call has other queries, as many, to as many keys: it would not be read.
        """
        if self.first is None:
            self.first = seen
        elif _another_part(self.first, seen):
            raise AttentionError(
                f"`{self.name}` calls `scaled_dot_product_attention` several times, such as once for each head, and only the first call "
                "would be read. Attend in one call, or see 'Attention that cannot be recorded' in docs/writing-an-adapter.md"
            )
        elif not self.told and _another_text(self.first, seen):
            self.told = True
            warnings.warn(
                f"`{self.name}` attends to several texts of {seen.key.shape[2]} tokens, as regional prompting does, and only the first is "
                "read: let it be that of the prompt",
                stacklevel=2,
            )
        out, lse = with_log_sum_exp(seen) if self.may_replace and not self.seen else (None, None)
        self.seen = True
        self.keep(seen, lse)
        return out


class _AttentionMode(TorchFunctionMode):
    """Passes the operands of every `scaled_dot_product_attention` to `saw`, and runs the call unless `saw` returns its result."""

    def __init__(self, saw: Callable[[SdpaCall], Tensor | None]) -> None:
        super().__init__()
        self.saw = saw

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            result = self.saw(SdpaCall.of(*args, **kwargs))
            if result is not None:
                return result
        return func(*args, **kwargs)


def additive(mask: Tensor | None, query: Tensor) -> Tensor | None:
    """Converts a boolean mask, True where attended, to numbers that are added to the logits: 0 and -inf."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    zero = torch.zeros(mask.shape, dtype=torch.promote_types(query.dtype, torch.float32), device=mask.device)
    return zero.masked_fill(~mask, float("-inf"))


def _another_part(first: SdpaCall, seen: SdpaCall) -> bool:
    """Whether a further call has as many keys and as many, but other queries; IP-Adapter's calls have the queries of the first."""
    if (seen.query.shape, seen.key.shape) != (first.query.shape, first.key.shape) or seen.query.device.type == "meta":
        return False
    return seen.query is not first.query and not torch.equal(seen.query, first.query)


def _another_text(first: SdpaCall, seen: SdpaCall) -> bool:
    """Whether a further call has the queries of the first, and other keys, as many."""
    if (seen.query.shape, seen.key.shape) != (first.query.shape, first.key.shape) or seen.query.device.type == "meta":
        return False
    return seen.key is not first.key and not torch.equal(seen.key, first.key)


def _attends_to_itself(seen: SdpaCall) -> bool:
    """Whether the keys are those of the image: a text of as many tokens as the image has positions has no gradient to the image."""
    return seen.query.shape[2] == seen.key.shape[2] and seen.query.requires_grad and seen.key.requires_grad


def _no_maps(absent: Sequence[tuple[str, nn.Module]]) -> str:
    names = ", ".join(name for name, _ in absent)
    if any(isinstance(part, nn.MultiheadAttention) for _, module in absent for part in module.modules()):
        return (
            f"no attention was seen in {names}: `torch.nn.MultiheadAttention` attends inside a function of torch, where it cannot be "
            "watched. Project queries and keys and call `scaled_dot_product_attention` in a module of your own with the same weights, or "
            "see 'Attention that cannot be recorded' in docs/writing-an-adapter.md"
        )
    processors = {type(getattr(module, "processor", module)).__name__ for _, module in absent}
    return (
        f"no attention was seen in {names}: their processor ({', '.join(sorted(processors))}) calls neither "
        "`scaled_dot_product_attention` nor `to_q` and `to_k`, or the layers were skipped. In diffusers, use the default "
        "processor (`denoiser.set_attn_processor(AttnProcessor2_0())`), and switch off xformers, flash back ends and step caches; for a "
        "model of your own see 'Attention that cannot be recorded' in docs/writing-an-adapter.md"
    )
