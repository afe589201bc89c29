"""Losses on object maps, one value a row of the batch.

A term is any function `term(objects, scene) -> (B,)`. `CompoundLoss` weights terms and averages them over layers. Terms of other methods
are in `core.terms`, and `docs/losses.md` shows how to write one. Source of the three terms here: arXiv 2512.17851, section 3.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from array_api_compat import array_namespace

from infsplign.core._namespace import Array, check_flag, check_number
from infsplign.core.attention import Attention, check_level
from infsplign.core.object_attention import LayerGroup, Layers, ObjectAttention, check_fits, observe_layers
from infsplign.core.penalties import Penalty, gelu
from infsplign.core.scene_arrays import SceneArrays
from infsplign.core.spatial import spatial_loss


def presence_loss(objects: ObjectAttention, scene: SceneArrays) -> Array:
    """Asks for tight maps: `L_p = 2 mean_o v_o`, which is `v(A) + v(B)` for two objects. Returns (B,)."""
    check_fits(objects, scene)
    xp = array_namespace(objects.variance)
    return 2.0 * xp.sum(objects.variance * scene.present, axis=-1) / xp.sum(scene.present, axis=-1)


def balance_loss(objects: ObjectAttention, scene: SceneArrays) -> Array:
    """Asks for equally tight maps: `L_b = mean_{i<j} |v_i - v_j|`. Returns (B,); 0 for a single object."""
    check_fits(objects, scene)
    xp = array_namespace(objects.variance)
    v = objects.variance
    apart = xp.abs(v[:, :, None] - v[:, None, :]) * (scene.present[:, :, None] * scene.present[:, None, :])
    count = xp.sum(scene.present, axis=-1)
    pairs = count * (count - 1.0)  # ordered pairs, as `apart` holds each twice
    return xp.sum(apart, axis=(-2, -1)) / xp.maximum(pairs, xp.ones_like(pairs))


Term = Callable[[ObjectAttention, SceneArrays], Array]
"""Interface of a term: (maps of one layer with their statistics, scene) to one value a row, (B,), lower is better.
It must leave out what `scene.present` and `scene.relation_weight` mark as padding, and read shapes but no values, so that it compiles."""


class WithOptions(partial):
    """A function with its options. Two with the same function and options are equal, so that configurations compare by value."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WithOptions):
            return NotImplemented
        return (self.func, self.args, self.keywords) == (other.func, other.args, other.keywords)

    def __hash__(self) -> int:
        return hash((self.func, self.args, tuple(sorted(self.keywords.items()))))


@dataclass(frozen=True)
class LossTerm:
    """A term with its weight and the levels whose layers it reads (all when empty).

    Attributes:
        rowwise: the term treats each row by itself, whatever the number and order of rows. It may then get the rows of several layers at
            once, which saves kernel launches on a GPU. A term with its own numbers for each row must leave it False.

    Raises:
        TypeError: `name` is no text, `term` no function, `weight` no number, `levels` no tuple, or `rowwise` neither True nor False.
        ValueError: a level that is none of `infsplign.core.attention.LEVELS`, or a weight that is not finite.
    """

    name: str
    term: Term
    weight: float = 1.0
    levels: tuple[str, ...] = ()
    rowwise: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"`name` must be a text, got {self.name!r}")
        check_number(self.weight, "weight")
        if not callable(self.term):
            raise TypeError(f"`term` must be a function of the maps and the scene, got {self.term!r} for {self.name!r}")
        if not isinstance(self.levels, tuple | list):
            raise TypeError(f"`levels` must be a tuple such as ('coarse',), got {self.levels!r}")
        for level in self.levels:
            check_level(level, "levels")
        check_flag(self.rowwise, "rowwise")
        object.__setattr__(self, "levels", tuple(self.levels))

    def reads(self, level: str) -> bool:
        return self.weight != 0 and (not self.levels or level in self.levels)


class LossReport(NamedTuple):
    """The values that `CompoundLoss` computed.

    Attributes:
        total: (B,), the loss to differentiate.
        terms: per term (B,), unweighted, averaged over the layers that it reads.
        centroid: (B, O, 2), averaged over all layers.
        variance: (B, O), averaged over all layers.
        maps: the object maps of each layer, (B, O, H, W) with its own grid.
    """

    total: Array
    terms: dict[str, Array]
    centroid: Array
    variance: Array
    maps: tuple[Array, ...]


@dataclass(frozen=True)
class CompoundLoss:
    """`L = mean over layers of sum over terms that read the layer of weight * term`.

    Raises:
        ValueError: two terms of the same name.
        TypeError: `terms` is no list of `LossTerm`s.
    """

    terms: tuple[LossTerm, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.terms, tuple | list) or not all(isinstance(term, LossTerm) for term in self.terms):
            raise TypeError(f"`terms` must be a tuple of `LossTerm`s, got {self.terms!r:.100}")
        names = [term.name for term in self.terms]
        if len(set(names)) < len(names):
            raise ValueError(f"`terms` must have different names, got {', '.join(names)}")
        object.__setattr__(self, "terms", tuple(self.terms))

    def __call__(self, attention: Sequence[Attention], weights: Array, scene: SceneArrays) -> LossReport:
        """Computes the loss of recorded attention.

        Args:
            attention: one entry a tapped layer.
            weights: (B, T, O) from `token_weights`.
            scene: from `scene_arrays`.

        Raises:
            ValueError: no layer, or a term that does not give one value a row.
        """
        return self.of(observe_layers(attention, weights, scene))

    def unread(self, levels: Collection[str]) -> dict[str, tuple[str, ...]]:
        """The terms that read none of these levels, each with the levels that it would read; those of weight 0 are left out."""
        return {
            term.name: term.levels for term in self.terms if term.weight != 0 and not any(term.reads(level) for level in levels)
        }

    def of(self, layers: Layers) -> LossReport:
        """Computes the loss of layers whose statistics are known.

        Raises:
            ValueError: a term that does not give one value a row.
        """
        first = layers.groups[0]
        # keeps shape, type and graph when no term reads any layer; not the variance, whose gradient the recommended terms do not need
        total = first.summed(first.objects.mass[:, 0]) * 0.0
        terms: dict[str, Array] = {}
        for term in self.terms:
            read = [group for group in layers.groups if term.reads(group.level)]
            each = [value for group in read for value in _values(term, group, layers.scene)]
            if each:
                found = sum(each[1:], each[0])
                total = total + term.weight * found
                terms[term.name] = found / sum(len(group.indices) for group in read)
        centroid, variance = (layers.mean(lambda group, name=name: getattr(group.objects, name)) for name in ("centroid", "variance"))
        return LossReport(total / layers.number, terms, centroid, variance, layers.maps)


def _values(term: LossTerm, group: LayerGroup, scene: SceneArrays) -> list[Array]:
    """The values of a term for the layers of a group, (B,) each, or their sum."""
    if term.rowwise:
        return [group.summed(_one_a_row(term, group.objects, group.scene))]
    return [_one_a_row(term, objects, scene) for objects in group.each()]


def _one_a_row(term: LossTerm, objects: ObjectAttention, scene: SceneArrays) -> Array:
    """The term's value. Another shape would mix rows without an error, so it is checked."""
    value = term.term(objects, scene)
    rows = objects.maps.shape[0]
    if getattr(value, "shape", None) != (rows,):
        raise ValueError(f"`terms` must give one value a row, shape ({rows},), got {getattr(value, 'shape', value)} from {term.name!r}")
    return value


def paper_loss(
    *,
    alpha: float = 0.75,
    margin: float = 0.25,
    spatial: float = 1.0,
    presence: float = 1.0,
    balance: float = 1.0,
    penalty: Penalty = gelu,
    extra: Sequence[LossTerm] = (),
) -> CompoundLoss:
    """The published compound: spatial on every layer, presence on the coarse level, balance on the middle one; then `extra` terms.

    Raises:
        TypeError: `alpha`, `margin` or a weight is no number, or `penalty` no function.
        ValueError: one of the numbers is not finite.
    """
    check_number(alpha, "alpha")
    check_number(margin, "margin")
    if not callable(penalty):
        raise TypeError(f"`penalty` must be a function of `infsplign.core.penalties`, got {penalty!r}")

    spatial_term = WithOptions(spatial_loss, alpha=alpha, margin=margin, penalty=penalty)
    return CompoundLoss(
        (
            LossTerm("spatial", spatial_term, spatial, rowwise=True),
            LossTerm("presence", presence_loss, presence, ("coarse",), rowwise=True),
            LossTerm("balance", balance_loss, balance, ("middle",), rowwise=True),
            *extra,
        )
    )
