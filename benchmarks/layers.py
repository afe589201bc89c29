"""Options for a chosen set of layers."""

from collections.abc import Mapping

from infsplign import GuidanceConfig
from infsplign.core.losses import CompoundLoss


def reading(config: GuidanceConfig, layers: Mapping[str, tuple[str, ...]] | None) -> GuidanceConfig:
    """`config` on `layers`, without the loss terms that read none of their levels: a term that reads nothing is an error in `Guidance`."""
    if layers is None:
        return config.with_(layers=None)
    unread = config.compound().unread(set(layers))
    if not unread:
        return config.with_(layers=layers)
    kept = tuple(term for term in config.compound().terms if term.name not in unread)
    return config.with_(layers=layers, loss=CompoundLoss(kept), terms=())
