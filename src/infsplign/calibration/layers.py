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
    numbers only. All have the class of the family's, if the denoiser has any of these: a smaller one may lack them.

    Raises:
        AttentionError: there is none.
    """
    denoiser = uncompiled(getattr(pipe, backbone.denoiser))
    modules = dict(denoiser.named_modules())
    own = [name for names in backbone.layers(denoiser).values() for name in names]
    patterns = {_alike(name) for name in own}
    alike = [name for name in modules if any(pattern.fullmatch(name) for pattern in patterns)]
    kinds = {type(modules[name]) for name in own if name in modules} or {type(modules[name]) for name in alike}
    if not alike:
        raise AttentionError(f"{type(denoiser).__name__} has no layer like {', '.join(own)}, which attend to text in its family")
    return tuple(name for name in alike if type(modules[name]) in kinds)


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
