"""Methods by name: what each of them is for a given model."""

from infsplign.core import LOSSES
from infsplign.engine.config import PAPER, RECOMMENDED, GuidanceConfig, as_published

OWN = ("unguided", "infsplign", "paper", "published")
NAMES = OWN + tuple(name for name in LOSSES if name not in OWN)
"""All methods that can be asked for by name."""


def method(name: str, own: GuidanceConfig = RECOMMENDED, published: GuidanceConfig = PAPER) -> GuidanceConfig | None:
    """The options of a method: None is the stock pipeline.

    Args:
        name: "unguided"; "infsplign", the constants chosen for the model; "paper", the published ones for its family;
            "published", these with the habits of the published code, see `as_published`; or a loss of `infsplign.core.LOSSES` in place of
            the paper's, with the model's other constants.
        own: constants of the model.
        published: the paper's, for its family.

    Raises:
        ValueError: an unknown name.
    """
    if name not in NAMES:
        raise ValueError(f"`--methods` must be one or more of {', '.join(NAMES)}, each once, got {name!r}")
    if name in OWN:
        return {"unguided": None, "infsplign": own, "paper": published, "published": as_published(published)}[name]
    return own.with_(loss=LOSSES[name](), terms=())


def choose_methods(
    asked: str, scale: float | None = None, own: GuidanceConfig = RECOMMENDED, published: GuidanceConfig = PAPER
) -> dict[str, GuidanceConfig | None]:
    """The options of methods named with commas between; `scale`, where given, replaces that of every guided one.

    Raises:
        ValueError: no name, an unknown one, or one twice; a `scale` for no guided method.
    """
    listed = [name.strip() for name in asked.split(",") if name.strip()]
    if not listed or len(set(listed)) != len(listed) or not set(listed) <= set(NAMES):
        raise ValueError(f"`--methods` must be one or more of {', '.join(NAMES)}, each once, got {asked!r}")
    if scale is not None and listed == ["unguided"]:
        raise ValueError("`--scale` is of no use without a guided method; leave it out, or name one in `--methods`")
    configs = {name: method(name, own, published) for name in listed}
    return {name: c.with_(scale=scale) if c is not None and scale is not None else c for name, c in configs.items()}
