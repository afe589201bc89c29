"""Case 10: integer and boolean arrays are read as real numbers, flags are True or False, and empty maps hold nothing."""

import array_api_strict
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infsplign.core import (
    AttentionMap,
    LossTerm,
    Scene,
    centroid,
    excite,
    gaps,
    holds,
    mass,
    observe,
    overlap,
    scene_arrays,
    token_weights,
    variance,
)
from infsplign.core._namespace import at_least_float32, check_flag, floating
from infsplign.core.attention import resize
from infsplign.core.penalties import PENALTIES
from infsplign.core.spatial import seen
from infsplign.core.statistics import coordinates, sharpened
from infsplign.core.update import bound_factor, rms, size_factor
from tests.core.numeric import assert_close, to_numpy

INTEGERS = ("bool", "int8", "uint8", "int16", "int32", "int64")
TRUTHY = ("no", "yes", "False", "false", "off", "0", "", 1, 0, None, 1.0, [], ["x"])
whole = hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=st.integers(0, 100))
every_type = pytest.mark.parametrize("name", INTEGERS)
FUNCTIONS = {
    "mass": mass, "centroid": centroid, "variance": variance, "sharpened": sharpened, "rms": rms,
    "resize": lambda maps: resize(maps, 3, 4),
    "coordinates": lambda maps: coordinates(*maps.shape[-2:], like=maps)[0],
    "size_factor": lambda x: size_factor(x, 0.5),
    "bound_factor": lambda x: bound_factor(x, 0.5),
}  # fmt: skip
FUNCTIONS |= {f"penalty {name}": penalty for name, penalty in PENALTIES.items()}


def typed(xp, values, name):
    return xp.astype(xp.asarray(values), getattr(xp, name))


def test_case_10_by_hand():
    """At twelve o'clock and in the last column; before, y was 0 and an empty map gave no number at all."""
    assert centroid(np.asarray([[0, 0, 1]])).tolist() == [1.0, 0.5]
    assert centroid(np.zeros((3, 3), int)).tolist() == [0.5, 0.5]
    assert variance(np.zeros((3, 3), int)) == 0
    assert centroid(np.asarray([[True, False], [True, False]])).tolist() == [0.0, 0.5]
    assert centroid(torch.tensor([[0, 0, 1]])).tolist() == [1.0, 0.5]
    assert to_numpy(centroid(array_api_strict.asarray([[0, 0, 1]]))).tolist() == [1.0, 0.5]


@every_type
@pytest.mark.parametrize("function", FUNCTIONS)
@given(values=whole)
@settings(max_examples=10)
def test_integers_count_as_the_same_real_numbers(xp, function, name, values):
    given = typed(xp, values, name)
    real = xp.astype(given, xp.asarray(0.0).dtype)
    found = FUNCTIONS[function](given)
    assert xp.isdtype(found.dtype, "real floating")
    assert_close(found, FUNCTIONS[function](real), atol=1e-6, rtol=1e-6)


@every_type
def test_maps_of_integers_are_observed_and_recorded(xp, name):
    maps = [[[[0, 0, 1], [0, 0, 1]], [[1, 0, 0], [1, 0, 0]]]]
    objects = observe(typed(xp, maps, name))
    assert_close(objects.centroid, [[[1, 0.5], [0, 0.5]]])
    scene = scene_arrays([Scene.of([("A", "right of", "B")])], xp=xp, dtype=objects.centroid.dtype)
    assert float(gaps(objects, scene)[0, 0]) == 1
    recorded = AttentionMap(typed(xp, np.ones((1, 2, 6, 3), int), name), (2, 3))
    weights = token_weights([[[0], [1, 2]]], 3, xp=xp, dtype=at_least_float32(recorded.probabilities).dtype)
    assert_close(recorded.object_maps(weights), np.ones((1, 2, 2, 3)))


@pytest.mark.parametrize("library", [np, torch])
def test_complex_numbers_are_refused(library):
    with pytest.raises(TypeError, match="expected an array of real numbers, got .*complex"):
        centroid(library.ones((2, 2), dtype=library.complex64))


def test_real_numbers_stay_as_they_are(xp):
    x = xp.asarray([1.5], dtype=xp.float32)
    assert floating(x) is x
    assert floating(torch.ones(2, dtype=torch.bfloat16)).dtype == torch.bfloat16


@every_type
def test_types_without_fractions_are_refused_where_fractions_are_made(xp, name):
    """`1 / 2` would become 0: no relation, no object."""
    with pytest.raises(TypeError, match="`dtype` must be a real floating type"):
        scene_arrays([Scene.of([("A", "left of", "B")])], xp=xp, dtype=getattr(xp, name))
    with pytest.raises(TypeError, match="`dtype` must be a real floating type"):
        token_weights([[[0, 1]]], 2, xp=xp, dtype=getattr(xp, name))


class TestFlags:
    @pytest.mark.parametrize("value", TRUTHY, ids=repr)
    def test_only_true_and_false_are_flags(self, value):
        for make in (
            lambda: LossTerm("x", lambda *_: None, rowwise=value),
            lambda: excite(worst=value),
            lambda: overlap(normalised=value),
        ):
            with pytest.raises(TypeError, match="must be True or False, got "):
                make()

    @pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
    def test_true_and_false(self, value):
        check_flag(value, "x")
        assert LossTerm("x", lambda *_: None, rowwise=value).rowwise == value


class TestEmptyMaps:
    @pytest.mark.parametrize("kind", ["float64", "float32", "int64", "bool"])
    @pytest.mark.parametrize("relation", ["left of", "above", "near", "far from", "on top of", "inside", "larger than", "upper left of"])
    def test_case_10_nothing_holds(self, xp, kind, relation):
        scene = scene_arrays([Scene.of([("A", relation, "B")])], xp=xp)
        for empty in ((0, 1), (0,), (1,)):
            maps = np.ones((1, 2, 4, 4))
            maps[:, list(empty)] = 0
            objects = observe(typed(xp, maps, kind))
            objects = objects._replace(**{part: xp.astype(x, xp.float64) for part, x in objects._asdict().items()})
            assert not bool(holds(objects, scene, slack=1.0)[0, 0])

    def test_places_and_three_objects(self, xp):
        rows = [Scene.of([("A", "in the centre")]), Scene.of([("A", "between", ("B", "C"))])]
        maps = np.zeros((2, 3, 3, 3))
        maps[1, :2, 1, 1] = 1
        arrays, objects = scene_arrays(rows, xp=xp), observe(xp.asarray(maps))
        assert to_numpy(holds(objects, arrays, slack=1.0)).tolist() == [[False], [False]]
        full = observe(xp.asarray(np.ones((2, 3, 3, 3))))
        assert to_numpy(holds(full, arrays, slack=1.0)).tolist() == [[True], [True]]

    def test_other_objects_may_be_empty_and_padding_holds(self, xp):
        scene = Scene.of([("A", "left of", "B"), ("A", "left of", "C")])
        arrays = scene_arrays([scene, Scene(("A",))], xp=xp)
        maps = np.zeros((2, 3, 1, 3))
        maps[0, 0, 0, 0] = maps[0, 1, 0, 2] = 1
        objects = observe(xp.asarray(maps))
        assert to_numpy(seen(objects, arrays)).tolist() == [[True, False], [True, True]]
        assert to_numpy(holds(objects, arrays)).tolist() == [[True, False], [True, True]]
