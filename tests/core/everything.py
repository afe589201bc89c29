"""All that core computes, as one function of arrays: what every library must agree on, and every compiler accept."""

import numpy as np

from infsplign.core import (
    LOSSES,
    TERMS,
    AttentionMap,
    QueryKeyAttention,
    Scene,
    balance_loss,
    boxes,
    observe,
    paper_loss,
    presence_loss,
    scene_arrays,
    spatial_loss,
    to_prediction,
    token_weights,
)
from infsplign.core.attention import resize
from infsplign.core.penalties import PENALTIES
from infsplign.core.spatial import gaps, holds
from infsplign.core.statistics import extent, sharpened
from infsplign.core.terms import relation_boxes
from infsplign.core.update import PREDICTIONS, bound_factor, size_factor

SCENES = (
    Scene.of([("a", "left of", "b"), ("b", "above", "c"), ("a", "larger than", "b"), ("b", "on top of", "c"), ("a", "on the left side"),
              ("a", "near", "b"), ("c", "in the bottom right corner"), ("b", "between", ("a", "c"))]),
    Scene.of([("a", "upper right of", "b"), ("a", "far from", "b"), ("a", "smaller than", "b"), ("b", "in the centre")]),  # padded
)  # fmt: skip
NESTED = (Scene.of([("a", "inside", "b"), ("c", "right of", "a")]), Scene.of([("b", "below", "a")]))
BOXES = [[(0, 0, 0.5, 1), (0.3, 0.2, 0.9, 0.7), None], [(0.1, 0.1, 0.35, 0.95), None]]
TERMS_OF_MAPS = {
    "spatial": spatial_loss,
    "presence": presence_loss,
    "balance": balance_loss,
    **{name: factory().term for name, factory in TERMS.items()},
    "excite, mean, rough": TERMS["excite"](worst=False, sigma=0.0).term,
    "excite, sharp": TERMS["excite"](sharpness=30.0).term,
    "overlap, normalised": TERMS["overlap"](normalised=True).term,
    "unity, narrow, sharp": TERMS["unity"](sigma=0.05, power=3.0).term,
}
EVERY_TERM = {**TERMS_OF_MAPS, "boxes": boxes(BOXES).term}
EVERY_LOSS = {name: make() for name, make in LOSSES.items()}
ALL_IN_ONE = paper_loss(extra=[factory() for factory in TERMS.values()])


def inputs(seed, *, grid=(3, 4), tokens=5, heads=2):
    """What a denoiser would give, in numpy: a layer of queries and keys with a mask, one of probabilities; and arguments of penalties."""
    rng = np.random.default_rng(seed)
    positions = grid[0] * grid[1]
    return {
        "query": rng.uniform(0.05, 1.0, (2, heads, positions, 4)),
        "key": rng.uniform(0.05, 1.0, (2, heads, tokens + 1, 4)),
        "mask": rng.uniform(0.05, 1.0, (2, 1, 1, tokens + 1)),
        "probabilities": rng.uniform(0.05 / tokens, 1.0 / tokens, (2, heads, positions, tokens)),
        "x": rng.uniform(-3.0, 3.0, (3, 4)),
    }


def layers_of(arrays, grid):
    """One layer of each level, of both kinds of attention: few, for compilers unroll them."""
    text = (1, arrays["key"].shape[-2])
    return [
        QueryKeyAttention(arrays["query"], arrays["key"], 3.0, text, grid, level="coarse", mask=arrays["mask"]),
        AttentionMap(arrays["probabilities"], grid, level="middle"),
    ]


def everything(xp, arrays, grid=(3, 4)):
    """Name to array, for all public functions of core."""
    tokens = arrays["key"].shape[-2] - 1
    scene = scene_arrays(SCENES, xp=xp)
    weights = token_weights([[[0], [1 % tokens, 2 % tokens], [tokens - 1]], [[0], [tokens - 1]]], tokens, xp=xp)
    layers = layers_of(arrays, grid)
    found = {f"attention {i}": layer.object_maps(weights) for i, layer in enumerate(layers)}
    objects = observe(found["attention 0"])
    found |= objects._asdict()
    found["resize"] = resize(objects.maps, 7, 5)
    found["boxes of relations"] = relation_boxes(scene)
    found["gaps"], found["gaps, nested"] = gaps(objects, scene), gaps(objects, scene_arrays(NESTED, xp=xp))
    found["holds"] = holds(objects, scene)
    found["extent"] = extent(observe(sharpened(objects.maps)).variance)
    found |= {f"term {name}": term(objects, scene) for name, term in EVERY_TERM.items()}
    found |= {f"penalty {name}": penalty(arrays["x"]) for name, penalty in PENALTIES.items()}
    report = ALL_IN_ONE(layers, weights, scene)
    found |= {"loss of all": report.total, "mean centroid": report.centroid, "mean variance": report.variance}
    found |= {f"mean {name}": value for name, value in report.terms.items()}
    found |= {f"loss {name}": loss(layers[:1], weights, scene).total for name, loss in EVERY_LOSS.items()}
    alpha, sigma = xp.abs(arrays["x"]) / 4.0, xp.asarray(0.5, dtype=xp.float64)
    found |= {f"shift of {name}": to_prediction(arrays["x"], name, alpha=alpha, sigma=sigma) for name in PREDICTIONS}
    found["sized"], found["bound"] = (f(objects.maps, 0.03) for f in (size_factor, bound_factor))
    return found


def pulls(xp, arrays, grid=(3, 4)):
    """All losses of `everything`, (K, B)."""
    found = everything(xp, arrays, grid)
    return xp.stack([value for name, value in found.items() if name.startswith(("loss", "term"))])


def weighted(xp, arrays, grid=(3, 4)):
    """One number, in which each loss has a weight of its own, so that one gradient holds all of theirs."""
    losses = pulls(xp, arrays, grid)
    weights = [1.0 + 0.37 * number % 1.0 for number in range(losses.shape[0])]
    return xp.sum(losses * xp.asarray(weights, dtype=losses.dtype)[:, None])


def in_library(xp, arrays):
    return {name: xp.asarray(value) for name, value in arrays.items()}
