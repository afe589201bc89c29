"""Options for a chosen set of layers."""

from collections.abc import Mapping

from infsplign import GuidanceConfig
from infsplign.adapters import backbone_for
from infsplign.adapters.backbone import uncompiled
from infsplign.core.losses import CompoundLoss
from infsplign.errors import AttentionError
from infsplign.shipped import PRESETS, load


def reading(config: GuidanceConfig, layers: Mapping[str, tuple[str, ...]] | None) -> GuidanceConfig:
    """`config` on `layers`, without the loss terms that read none of their levels: a term that reads nothing is an error in `Guidance`."""
    if layers is None:
        return config.with_(layers=None)
    unread = config.compound().unread(set(layers))
    if not unread:
        return config.with_(layers=layers)
    kept = tuple(term for term in config.compound().terms if term.name not in unread)
    return config.with_(layers=layers, loss=CompoundLoss(kept), terms=())


def of_family(model: str, *configs: GuidanceConfig) -> list[GuidanceConfig]:
    """`configs` on the layers of the model's family; where the model does not have these, on those of its preset."""
    pipe = load(model)
    backbone = backbone_for(pipe)
    try:
        backbone.source(uncompiled(getattr(pipe, backbone.denoiser)))
    except AttentionError:  # so `guide` without a configuration refuses it
        return [reading(config, PRESETS[model].config.layers) for config in configs]
    return list(configs)
