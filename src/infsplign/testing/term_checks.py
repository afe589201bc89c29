"""The single checks of `check_term`. Each raises an AssertionError that names the mistake and the remedy."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from infsplign.core.losses import Term
from infsplign.core.object_attention import ObjectAttention, observe
from infsplign.core.scene_arrays import SceneArrays, scene_arrays
from infsplign.core.scenes import Scene

STEP, DIRECTIONS = 1e-6, 8
"""Of central differences: step in the value of a cell, number of random directions."""


class TermTrial(NamedTuple):
    """A term with one scene a row. Maps are (B, O, H, W)."""

    term: Term
    scenes: Sequence[Scene]

    def value(self, maps: Tensor) -> Tensor:
        """Computes the term of each row, (B,).

        Raises:
            AssertionError: the term asks for an object or a relation that a scene does not have.
        """
        try:
            return self.term(observe(maps), scene_arrays(self.scenes, xp=torch, dtype=maps.dtype))
        except IndexError as error:
            raise AssertionError(
                f"the term raises an IndexError for maps {tuple(maps.shape)}: {error}; take objects by `scene.present` and `scene.roles`, "
                "whose numbers differ, or give the scenes that it is for as `scenes`"
            ) from error

    def gradient(self, maps: Tensor) -> Tensor:
        """Computes the gradient of the sum over rows with respect to the maps, (B, O, H, W)."""
        leaf = maps.detach().clone().requires_grad_()
        value = self.value(leaf)
        assert value.requires_grad, "the value has no gradient to the maps; does the term call `float()`, `.item()`, `.detach()` or numpy?"
        found = torch.autograd.grad(value.sum(), leaf, allow_unused=True)[0]
        return torch.zeros_like(leaf) if found is None else found

    def random_maps(self, grid: tuple[int, int], seed: int) -> Tensor:
        """Draws maps (B, O, H, W) without ties and without cells near 0."""
        shape = (len(self.scenes), max(len(scene.objects) for scene in self.scenes), *grid)
        return torch.asarray(np.random.default_rng(seed).uniform(0.05, 1.0, shape))


def check_unchanged(trial: TermTrial, maps: Tensor) -> None:
    """Checks that the term leaves its arguments as they are: other terms, layers and steps read the same arrays."""
    objects, scene = observe(maps.clone()), scene_arrays(trial.scenes, xp=torch, dtype=maps.dtype)
    parts = _parts(objects, scene)
    before = {name: (x._version, x.clone()) for name, x in parts.items()}
    trial.term(objects, scene)
    after = _parts(objects, scene)
    changed = [
        name
        for name, (version, x) in before.items()
        if after.get(name) is not parts[name] or parts[name]._version != version or not torch.equal(parts[name], x)
    ]
    assert not changed, (
        f"the term changes {', '.join(changed)} in place, which other terms, layers and steps read too; write `x = x * y`, not `x *= y` "
        "or a method with `_` at its end"
    )


def check_layers(trial: TermTrial, maps: Tensor) -> None:
    """Checks that the rows of two layers at once have the values that each layer has by itself."""
    other = maps.flip(-1)
    try:
        both = TermTrial(trial.term, (*trial.scenes, *trial.scenes)).value(torch.cat((maps, other)))
    except Exception as error:
        told = f"the rows of two layers at once give {type(error).__name__}: {error}"
        raise AssertionError(f"{told}; give `LossTerm(rowwise=False)` to a term with its own numbers for each row") from error
    apart = torch.cat((trial.value(maps), trial.value(other)))
    for row, (found, expected) in enumerate(zip(both, apart, strict=True)):
        assert _equal(found, expected), (
            f"row {row} of two layers at once has the value {found:.6g}, and {expected:.6g} in its own layer; give "
            "`LossTerm(rowwise=False)` to a term with its own numbers for each row"
        )


def check_values(trial: TermTrial, maps: Tensor) -> None:
    """Checks shape, type and finiteness of the value, in float64 and float32."""
    for given in (maps, maps.float()):
        value, rows = trial.value(given), len(given)
        assert isinstance(value, Tensor) or not hasattr(value, "shape"), (
            f"the value must be an array of the maps' own library, a tensor here, got {type(value).__name__}; use "
            "`array_api_compat.array_namespace(objects.maps)`"
        )
        shape = getattr(value, "shape", None)
        assert shape == (rows,), (
            f"the term must return one value a row, shape ({rows},), got {value if shape is None else tuple(shape)}; "
            "sum over `axis=-1`, not over all"
        )
        assert value.dtype == given.dtype, (
            f"the value must have the type of the maps, {given.dtype}, got {value.dtype}; give `dtype=` to new arrays"
        )
        assert bool(torch.isfinite(value).all()), f"the value of random maps {tuple(given.shape)} is not finite: {value.tolist()}"


def check_rows(trial: TermTrial, maps: Tensor, rowwise: bool) -> None:
    """Checks that a row's value does not depend on other rows and, if `rowwise`, that it is the same for the row alone."""
    whole = trial.value(maps)
    for row, scene in enumerate(trial.scenes):
        others = [number for number in range(len(maps)) if number != row]
        changed = maps.clone()
        changed[others] = maps[others].flip(-1) ** 2
        moved = trial.value(changed)[row]
        assert _equal(moved, whole[row]), (
            f"row {row} has the value {whole[row]:.6g}, and {moved:.6g} when only other rows change; "
            "take sums and means over a row, not over the batch"
        )
        if not rowwise:
            continue
        single = TermTrial(trial.term, (scene,)).value(maps[row : row + 1, : len(scene.objects)])[0]
        assert _equal(single, whole[row]), (
            f"row {row} has the value {whole[row]:.6g} in the batch, and {single:.6g} alone, without padding; "
            "multiply by `scene.present` or `scene.relation_weight` and divide by their sums, not by the padded sizes "
            "(or give `rowwise=False` where the term has its own numbers for each row)"
        )


def check_padding(trial: TermTrial, maps: Tensor) -> None:
    """Checks that the maps of padded objects do not change the value."""
    whole, changed = trial.value(maps), maps.clone()
    for row, scene in enumerate(trial.scenes):
        changed[row, len(scene.objects) :] = 1.0 + maps[row, len(scene.objects) :].flip(-1)
    for row, (before, after) in enumerate(zip(whole, trial.value(changed), strict=True)):
        assert _equal(after, before), (
            f"row {row} has the value {before:.6g}, and {after:.6g} when only the maps of padded objects change; "
            "multiply by `scene.present`"
        )


def check_differences(trial: TermTrial, maps: Tensor, seed: int) -> None:
    """Checks that the gradient equals central differences along random directions."""
    gradient = trial.gradient(maps)
    finite = bool(torch.isfinite(gradient).all())
    assert finite, f"the gradient of random maps {tuple(maps.shape)} is not finite; which operation has no slope there?"
    generator = torch.Generator().manual_seed(seed)
    for _ in range(DIRECTIONS):
        along = torch.randn(maps.shape, generator=generator, dtype=maps.dtype)
        expected = (trial.value(maps + STEP * along) - trial.value(maps - STEP * along)) / (2 * STEP)
        found = (gradient * along).flatten(1).sum(1)
        row = int((found - expected).abs().argmax())
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6), (
            f"the gradient of row {row} is {found[row]:.6g} along a random direction, central differences give {expected[row]:.6g}; "
            "is a part detached, rounded or cut to whole cells?"
        )


def check_empty(trial: TermTrial, maps: Tensor) -> None:
    """Checks that value and gradient are finite for maps that underflow in float32 and for empty maps, of one object and of all."""
    for factor in (1e-30, 0.0):
        for objects in (slice(0, 1), slice(None)):
            faded = maps.float()
            faded[:, objects] *= factor
            where = f"maps of {'zeros' if factor == 0 else 'values of 1e-30'} in float32"
            assert bool(torch.isfinite(trial.value(faded)).all()), f"the value of {where} is not finite; divide by `max(mass, EPSILON)`"
            assert bool(torch.isfinite(trial.gradient(faded)).all()), (
                f"the gradient of {where} is not finite; divide by `max(mass, EPSILON)`, and take no root or logarithm of 0"
            )


def check_better(trial: TermTrial, path: Sequence[Any]) -> None:
    """Checks that the value falls along the maps of `path`, each (O, H, W), and that the gradient points downhill."""
    if len(path) < 2:
        raise ValueError(f"`better` must give two or more maps for each scene, got {len(path)} for {trial.scenes[0].objects}")
    maps = [torch.as_tensor(np.asarray(one, dtype=np.float64))[None] for one in path]
    values = [float(trial.value(one)[0].detach()) for one in maps]
    shown = ", ".join(f"{value:.6g}" for value in values)
    for number in range(len(maps) - 1):
        assert values[number + 1] < values[number], (
            f"the value must fall from each map of `better` to the next, got {shown}; is a sign the wrong way round, or x taken for y?"
        )
        slope = float((trial.gradient(maps[number]) * (maps[number + 1] - maps[number])).sum())
        assert slope < 0, (
            f"from map {number} of `better` to the next the value falls ({shown}), but its slope in that direction is {slope:+.3g}; "
            "descent goes the other way"
        )


def _equal(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-9, atol=1e-11)


def _parts(objects: ObjectAttention, scene: SceneArrays) -> dict[str, Tensor]:
    """The arrays that a term gets, by name."""
    found = {f"`objects.{name}`": x for name, x in objects._asdict().items()}
    found |= {f"`scene.{name}`": x for name, x in scene._asdict().items() if name != "equation"}
    return found | {f"`scene.equation[{name!r}]`": x for name, x in scene.equation.items()}
