"""Tensors inside nested arguments."""

from collections import OrderedDict, UserDict, defaultdict, namedtuple

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

from infsplign.engine.pytree import concatenate, first_tensor, map_tensors, rows_of

Pair = namedtuple("Pair", "left right")
TREE = {"a": torch.arange(4), "b": [torch.ones(4, 2), None, "text"], "c": (torch.tensor(3), torch.ones(1, 4)), "d": Pair(torch.zeros(4), 5)}


def test_rows_are_taken_of_batched_tensors_only():
    half = rows_of(TREE, slice(2, 4), 4)
    assert half["a"].tolist() == [2, 3]
    assert half["b"][0].shape == (2, 2)
    assert half["b"][1:] == [None, "text"]
    assert half["c"][0].item() == 3
    assert half["c"][1].shape == (1, 4)
    assert isinstance(half["d"], Pair)
    assert half["d"].left.shape == (2,)


def test_outputs_are_joined_in_their_own_type():
    parts = [UNet2DConditionOutput(sample=torch.full((2, 1), float(i))) for i in range(2)]
    joined = concatenate(parts)
    assert isinstance(joined, UNet2DConditionOutput)
    assert joined.sample.flatten().tolist() == [0, 0, 1, 1]
    assert isinstance(map_tensors(torch.Tensor.detach, joined), UNet2DConditionOutput)
    assert concatenate([(torch.zeros(1), None), (torch.ones(1), None)])[0].tolist() == [0, 1]


def test_every_tensor_is_mapped_and_everything_else_kept():
    doubled = map_tensors(lambda x: 2 * x, TREE)
    assert doubled["a"].tolist() == [0, 2, 4, 6]
    assert doubled["b"][0].tolist() == [[2.0, 2.0]] * 4
    assert doubled["b"][1:] == [None, "text"]
    assert [type(doubled[name]) for name in "bcd"] == [list, tuple, Pair]
    assert doubled["c"][0].item() == 6
    assert doubled["d"].right == 5
    assert TREE["a"].tolist() == [0, 1, 2, 3]


def test_nested_outputs_are_joined_part_by_part():
    parts = [{"a": torch.full((1,), float(i)), "b": [torch.full((2, 1), float(i)), (None, "same")]} for i in range(3)]
    joined = concatenate(parts)
    assert joined["a"].tolist() == [0, 1, 2]
    assert joined["b"][0].flatten().tolist() == [0, 0, 1, 1, 2, 2]
    assert joined["b"][1] == (None, "same")
    assert type(joined["b"]) is list


def test_the_first_tensor_of_an_output_is_its_prediction():
    assert first_tensor(UNet2DConditionOutput(sample=TREE["a"])) is TREE["a"]
    assert first_tensor((None, [TREE["a"]], TREE["c"][0])) is TREE["a"]


def test_what_is_no_tensor_is_the_first_part_s_and_one_part_stays_itself():
    assert concatenate([{"a": 1, "b": torch.zeros(1)}, {"a": 2, "b": torch.ones(1)}])["a"] == 1
    (alone,) = concatenate([[torch.arange(3)]])
    assert alone.tolist() == [0, 1, 2]


def test_plain_mappings_may_have_any_keys():
    """Only outputs of diffusers are made again by the names of their fields."""
    parts = [{0: torch.zeros(1), "b": None}, {0: torch.ones(1), "b": None}]
    assert concatenate(parts)[0].tolist() == [0, 1]
    assert map_tensors(lambda x: x + 1, parts[0])[0].tolist() == [1]


class Attributes(dict):
    """A dictionary whose entries are attributes too, as configurations and encodings of other libraries are."""

    def __getattr__(self, name):
        return self[name]


def kinds():
    return [Attributes(x=torch.arange(4), n=3), UserDict(x=torch.arange(4), n=3), OrderedDict(x=torch.arange(4), n=3),
            defaultdict(list, x=torch.arange(4), n=3)]  # fmt: skip


@pytest.mark.parametrize("tree", kinds(), ids=lambda tree: type(tree).__name__)
def test_dictionaries_of_other_kinds_stay_what_they_are(tree):
    assert map_tensors(lambda x: x, tree) is tree
    half = rows_of([tree], slice(2, 4), 4)[0]
    assert type(half) is type(tree)
    assert half["x"].tolist() == [2, 3]
    assert half["n"] == 3
    assert tree["x"].tolist() == [0, 1, 2, 3]
    joined = concatenate([half, half])
    assert type(joined) is type(tree)
    assert joined["x"].tolist() == [2, 3, 2, 3]
    if isinstance(half, Attributes):
        assert half.x.tolist() == [2, 3]


def test_masks_of_adapters_are_not_cut_by_rows():
    """Two adapters' masks beside two rows."""
    tree = {"ip_adapter_masks": torch.arange(2), "other": torch.arange(2), "nested": ({"ip_adapter_masks": torch.arange(2)},)}
    found = rows_of(tree, slice(1, 2), 2)
    assert [len(found["ip_adapter_masks"]), len(found["other"]), len(found["nested"][0]["ip_adapter_masks"])] == [2, 1, 2]
