"""Finds the layers of a denoiser that attend to text, and drops those that cannot be read."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from infsplign.adapters.backbone import Backbone, uncompiled
from infsplign.errors import AttentionError

UNET = re.compile(r"(down_blocks|mid_block|up_blocks)\b")


def text_layers(pipe: Any, backbone: Backbone) -> tuple[str, ...]:
    """Returns the exact names of all modules of the denoiser that attend to text as the family's layers do.

    In a UNet these are all modules that end as the family's do, in every block. In a transformer they differ from the family's in their
    numbers only. All have the class of the family's.

    Raises:
        AttentionError: one of the family's layers is not there.
    """
    denoiser = uncompiled(getattr(pipe, backbone.denoiser))
    modules = dict(denoiser.named_modules())
    source = backbone.source(denoiser)
    tapped = [(name, type(module)) for _, name, module in source.layers]
    kinds = {kind for _, kind in tapped}
    patterns = {_alike(name) for name, _ in tapped}
    return tuple(name for name, module in modules.items() if type(module) in kinds and any(p.fullmatch(name) for p in patterns))


def _alike(name: str) -> re.Pattern[str]:
    if UNET.match(name):
        leaf = re.escape(name.rpartition(".")[2])
        return re.compile(rf"(?:down_blocks\.\d+|mid_block|up_blocks\.\d+)\.attentions\.\d+\.transformer_blocks\.\d+\.{leaf}")
    return re.compile(r"\.".join(r"\d+" if part.isdigit() else re.escape(part) for part in name.split(".")))


def readable(run: Callable[[Sequence[str]], Any], layers: Sequence[str]) -> tuple[Any, tuple[str, ...], dict[str, str]]:
    """Calls `run` with the layers, and again without those that an error names, until it succeeds.

    Args:
        run: reads the attention of layers.
        layers: exact names.

    Returns:
        The result of `run`, the layers that it read, and for each of the others why not.

    Raises:
        AttentionError: no layer is left, or the error names none.
    """
    kept, dropped = list(layers), dict[str, str]()
    while True:
        try:
            return run(kept), tuple(kept), dropped
        except AttentionError as error:
            named = set(re.findall(r"[\w.]+", str(error)))
            bad = [name for name in kept if name in named or any(word.rstrip(".") == name for word in named)]
            if not bad or len(bad) == len(kept):
                raise
            dropped |= dict.fromkeys(bad, str(error))
            kept = [name for name in kept if name not in dropped]
