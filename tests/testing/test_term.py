"""`check_term` passes every shipped term, and names the fault of terms with one fault each."""

import doctest
import re

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import infsplign.testing.blobs
from infsplign.core import TERMS, LossTerm, Scene, boxes, observe, paper_loss, presence_loss
from infsplign.testing import blob_maps, check_term
from tests.core.everything import BOXES, TERMS_OF_MAPS

PAIR = Scene.of([("cat", "left of", "dog")])
APART = (PAIR, [blob_maps([(x, 0.4), (1 - x, 0.6)]) for x in (0.8, 0.6, 0.4, 0.2)])
TIGHTER = (PAIR, [blob_maps([(0.3, 0.5), (0.7, 0.5)], sigma=sigma) for sigma in (0.3, 0.2, 0.1)])
MORE_EVEN = (PAIR, [blob_maps([(0.3, 0.5), (0.7, 0.5)], sigma=(0.1, sigma)) for sigma in (0.3, 0.2, 0.12)])
BRIGHTER = (PAIR, [peak * blob_maps([(0.25, 0.5), (0.75, 0.5)]) for peak in (0.1, 0.3, 0.9)])
SHARPER = (PAIR, [blob_maps([(0.25, 0.5), (0.75, 0.5)]) + even for even in (0.5, 0.2, 0.05)])
BETTER = {
    "spatial": APART,
    "presence": TIGHTER,
    "balance": MORE_EVEN,
    "excite": BRIGHTER,
    "superiority": APART,
    "layout": APART,
    "overlap": (PAIR, [blob_maps([(x, 0.4), (1 - x, 0.6)]) for x in (0.45, 0.35, 0.2)]),
    "unity": SHARPER,
    "excite, mean, rough": BRIGHTER,
    "excite, sharp": (PAIR, [blob_maps([(x, 0.5), (1 - x, 0.5)]) for x in (0.47, 0.44, 0.4)]),
    "overlap, normalised": (PAIR, [blob_maps([(x, 0.4), (1 - x, 0.6)]) for x in (0.45, 0.35, 0.2)]),
    "unity, narrow, sharp": SHARPER,
}


@pytest.mark.parametrize("name", TERMS_OF_MAPS)
def test_shipped_terms_pass(name):
    check_term(TERMS_OF_MAPS[name], better=[BETTER[name]])


@pytest.mark.parametrize("name", TERMS)
def test_factories_pass(name):
    check_term(TERMS[name](), better=[BETTER[name]], grids=[(4, 5)])


def test_boxes_pass_with_numbers_of_their_own_for_each_row():
    scenes = (Scene(("a", "b", "c")), Scene(("a", "b")))
    term = boxes(BOXES)
    check_term(term, scenes=scenes, rowwise=False)
    check_term(boxes([[(0, 0, 0.5, 1), None]]), scenes=(PAIR, Scene(("a",))), better=[APART], rowwise=False)
    with pytest.raises(ValueError, match=re.escape("`boxes` must have shape")):
        check_term(term, scenes=scenes)  # one row cannot have the boxes of two prompts


def test_the_terms_of_the_paper_s_loss_pass():
    for term in paper_loss().terms:
        check_term(term, better=[BETTER[term.name]])


def right(objects, scene):
    """Asks that all objects are in the upper half; the terms below break it in one way each."""
    xp = array_namespace(objects.centroid)
    low = objects.centroid[..., 1] ** 2
    return xp.sum(low * scene.present, axis=-1) / xp.sum(scene.present, axis=-1)


UPWARDS = [(PAIR, [blob_maps([(0.3, y), (0.7, y)]) for y in (0.8, 0.5, 0.2)])]


class Constant(torch.autograd.Function):
    """A function whose backward pass is wrong."""

    @staticmethod
    def forward(ctx, x):
        return x**2

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def not_finite(objects, scene):
    return right(objects, scene) + torch.log(objects.mass[:, 0] - 1e9)


def divided_by_the_mass(objects, scene):
    return torch.sum(objects.maps[:, 0, 0] ** 2, dim=-1) / objects.mass[:, 0] ** 2


def root_of_the_mass(objects, scene):
    return torch.sqrt(objects.mass[:, 0])


FAULTS = {
    "one value for the batch": (lambda o, s: right(o, s).mean(), "one value a row, shape (5,), got ()"),
    "one value an object": (lambda o, s: o.variance, "one value a row, shape (5,), got (5, 4)"),
    "a number": (lambda o, s: 0.5, "one value a row, shape (5,), got 0.5"),
    "another type": (lambda o, s: right(o, s).double(), "the value must have the type of the maps, torch.float32, got torch.float64"),
    "no direction": (
        lambda o, s: right(o, s) + (s.direction / s.direction.norm(dim=-1, keepdim=True)).sum((1, 2)), "the value of random maps",
    ),
    "changes the scene": (lambda o, s: right(o, s) + 0 * s.relation_weight.mul_(0.5).sum(-1), "changes `scene.relation_weight` in place"),
    "changes a dictionary": (lambda o, s: right(o, s) + 0 * s.equation.pop("near").sum(-1), "changes `scene.equation['near']` in place"),
    "changes the mass": (lambda o, s: right(o, s) / o.mass.clamp_(min=1e-12)[:, 0], "changes `objects.mass` in place"),
    "changes the centroids": (lambda o, s: right(o, s) + 0 * o.centroid.data.neg_().sum((1, 2)), "changes `objects.centroid` in place"),
    "not finite": (not_finite, "the value of random maps (5, 4, 5, 7) is not finite"),
    "mean over the batch": (lambda o, s: right(o, s) - right(o, s).mean(), "when only other rows change"),
    "mean over padded objects": (lambda o, s: (o.variance * s.present).mean(-1), "alone, without padding"),
    "mean over padded relations": (
        lambda o, s: (right(o, s)[:, None] * (1 + 0 * s.relation_weight) * (s.relation_weight > 0)).mean(-1),
        "alone, without padding",
    ),
    "detached": (lambda o, s: right(o, s).detach(), "the value has no gradient to the maps"),
    "partly detached": (lambda o, s: right(o, s) * (1 + o.mass[:, 0].detach()), "central differences give"),
    "a wrong backward pass": (lambda o, s: Constant.apply(right(o, s)), "central differences give"),
    "zero everywhere": (lambda o, s: 0.0 * right(o, s), "the gradient is zero for every row and cell"),
    "divided by the mass": (divided_by_the_mass, "the value of maps of values of 1e-30 in float32 is not finite"),
    "a root of the mass": (root_of_the_mass, "the gradient of maps of zeros in float32 is not finite"),
    "the sign the wrong way round": (lambda o, s: -right(o, s), "the value must fall from each map of `better` to the next, got -0.6"),
    "x for y": (lambda o, s: (o.centroid[..., 0] ** 2 * s.present).sum(-1) / s.present.sum(-1), "the value must fall from each map"),
}


def test_the_term_without_faults_passes():
    check_term(right, better=UPWARDS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault):
    term, message = FAULTS[fault]
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_term(term, better=UPWARDS)


def test_padding_is_tried_also_where_rows_are_not_tried_one_by_one():
    with pytest.raises(AssertionError, match=re.escape("when only the maps of padded objects change; multiply by `scene.present`")):
        check_term(lambda o, s: o.variance.sum(-1), rowwise=False)


def test_a_value_that_falls_against_its_gradient_is_named():
    """A step down, on slopes that lead up: each map is better than the last, and descent goes the other way."""

    def stairs(objects, scene):
        x = objects.centroid[:, 0, 1]
        return torch.floor(4 * x) - 0.3 * (4 * x - torch.floor(4 * x))

    with pytest.raises(AssertionError, match="but its slope in that direction is"):
        check_term(stairs, better=UPWARDS)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (lambda o, s: presence_loss(o, s) * torch.linspace(1, 2, len(o.maps), dtype=o.maps.dtype), "row 1 of two layers at once has the"),
        (lambda o, s: presence_loss(o, s) * torch.tensor([1, 2], dtype=o.maps.dtype), "the rows of two layers at once give RuntimeError"),
    ],
)
def test_a_term_with_numbers_for_each_row_is_not_rowwise(own, message):
    options = {"scenes": [PAIR, Scene(("a",))], "rowwise": False}
    check_term(LossTerm("own", own), **options)
    with pytest.raises(AssertionError, match=f"{message}.*; give `LossTerm\\(rowwise=False\\)` to a term with its own numbers"):
        check_term(LossTerm("own", own, rowwise=True), **options)


def test_a_loss_term_is_checked_as_its_function_is():
    check_term(LossTerm("presence", presence_loss), better=[TIGHTER], grids=[(3, 4)])
    with pytest.raises(AssertionError, match="one value a row"):
        check_term(LossTerm("own", lambda o, s: o.mass), grids=[(3, 4)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenes": [PAIR, PAIR]}, "`scenes` must have different numbers of objects, so that padding is tried; add one with fewer objects"),
        ({"better": [(PAIR, TIGHTER[1][:1])]}, "`better` must give two or more maps for each scene, got 1 for ('cat', 'dog')"),
    ],
)
def test_options_that_check_nothing_are_refused(options, message):
    with pytest.raises(ValueError) as error:
        check_term(presence_loss, grids=[(3, 4)], **options)
    assert str(error.value) == message


def test_blobs_lie_where_they_are_put():
    found = observe(blob_maps([(0.25, 0.5), (0.6, 0.4)], grid=(21, 21), sigma=(0.05, 0.08))[None])
    np.testing.assert_allclose(found.centroid[0], [(0.25, 0.5), (0.6, 0.4)], atol=1e-3)
    np.testing.assert_allclose(found.variance[0], [2 * 0.05**2, 2 * 0.08**2], rtol=0.02)


def test_the_example_in_the_docstring_holds():
    result = doctest.testmod(infsplign.testing.blobs)
    assert (result.attempted, result.failed) == (1, 0)


def test_a_term_for_scenes_of_two_objects_is_told_what_to_do():
    def gap(objects, scene):
        return objects.centroid[:, 0, 0] - objects.centroid[:, 1, 0]

    with pytest.raises(AssertionError, match=r"raises an IndexError for maps \(1, 1, \d, \d\): index 1 is out of bounds.*as `scenes`"):
        check_term(gap)
    check_term(gap, scenes=(PAIR, Scene.of([("a", "left of", "b"), ("b", "left of", "c")])), better=[APART])


def test_a_value_of_another_library_is_refused():
    with pytest.raises(AssertionError, match="must be an array of the maps' own library, a tensor here, got ndarray"):
        check_term(lambda objects, scene: np.ones(len(objects.maps)))
