"""What the public strategies draw, and what is said where hypothesis is missing."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import infsplign.testing
from infsplign.core import observe, scene_arrays
from infsplign.core.contradictions import contradiction
from infsplign.testing import strategies


@given(batch=strategies.batches())
def test_batches_fit_their_scenes(batch):
    scenes, maps = batch
    assert 1 <= len(scenes) <= 4
    assert maps.shape[:2] == (len(scenes), max(len(scene.objects) for scene in scenes))
    assert maps.dtype == np.float64
    assert ((maps >= 0) & (maps <= 1)).all()
    assert scene_arrays(scenes, xp=np).present.shape == observe(maps).mass.shape


@given(scene=strategies.scenes(least=2, most=3))
def test_scenes_have_as_many_objects_as_asked_for_and_can_be_drawn(scene):
    assert 2 <= len(scene.objects) <= 3
    assert not contradiction(scene.relations)
    assert all(edge.relation in strategies.RELATIONS for edge in scene.relations)


@given(data=st.data(), relation=strategies.relations())
def test_maps_take_a_grid_and_elements_of_your_own(data, relation):
    maps = data.draw(strategies.maps(2, 3, grid=st.just((4, 5)), elements=st.just(0.5)))
    assert maps.shape == (2, 3, 4, 5)
    assert (maps == 0.5).all()
    assert relation in strategies.RELATIONS


@pytest.mark.parametrize(
    "wanted",
    [
        lambda maps: maps.shape[2:] == (1, 1),
        lambda maps: maps.shape[2] == 1 and maps.shape[3] > 1,
        lambda maps: not maps.any(),
        lambda maps: np.count_nonzero(maps) == 1 and maps.size > 1,
    ],
    ids=["one cell", "one row", "empty", "all in one cell"],
)
def test_the_edges_of_the_domain_are_drawn(wanted):
    assert wanted(find(strategies.maps(1, 1), wanted))


def test_padding_and_scenes_without_relations_are_drawn():
    find(strategies.batches(), lambda batch: len({len(scene.objects) for scene in batch[0]}) > 1)
    find(strategies.scenes(), lambda scene: not scene.relations)
    find(strategies.scenes(), lambda scene: len(scene.relations) > 1)


def test_hypothesis_is_needed_by_the_strategies_alone():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import infsplign.testing; infsplign.testing.check_term\n"
        "try:\n    infsplign.testing.strategies\n"
        "except ImportError as error:\n    print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "`infsplign.testing.strategies` needs hypothesis, which is not installed; run `pip install hypothesis`"


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="module 'infsplign.testing' has no attribute 'check_everything'"):
        infsplign.testing.check_everything  # noqa: B018
