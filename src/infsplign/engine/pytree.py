"""Maps over nested arguments (pytrees): denoisers take and return tensors in tuples, lists, dicts and output dataclasses."""

from collections.abc import Callable, Mapping, MutableMapping
from copy import copy
from typing import Any

import torch

WHOLE = frozenset(["ip_adapter_masks"])
"""Arguments whose first axis is that of the adapters, and not the batch, however long it is."""


def map_tensors(function: Callable[[torch.Tensor], Any], tree: Any) -> Any:
    """Applies `function` to every tensor of `tree` and keeps everything else."""
    if isinstance(tree, torch.Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return _filled(tree, {key: map_tensors(function, value) for key, value in tree.items()})
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_tensors(function, value) for value in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map_tensors(function, value) for value in tree)
    return tree


def _filled(tree: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """A mapping of the kind of `tree` with other values: dictionaries whose entries are attributes too stay what they are."""
    if all(value is tree[key] for key, value in values.items()):
        return tree
    if hasattr(type(tree), "to_tuple"):
        return type(tree)(**values)  # diffusers' outputs are dict-like dataclasses
    if type(tree) is dict or not isinstance(tree, MutableMapping):
        return values
    filled = copy(tree)
    filled.update(values)
    return filled


def rows_of(tree: Any, rows: slice, batch: int) -> Any:
    """Takes `rows` of every tensor whose first axis is the batch; other tensors (a scalar timestep, a shared mask) stay whole, and so do
    entries called as one of `WHOLE`."""
    if isinstance(tree, Mapping) and WHOLE & tree.keys():
        kept = {key: tree[key] for key in WHOLE & tree.keys()}
        cut = rows_of({key: value for key, value in tree.items() if key not in kept}, rows, batch)
        return {key: kept[key] if key in kept else cut[key] for key in tree}
    if isinstance(tree, Mapping):
        return _filled(tree, {key: rows_of(value, rows, batch) for key, value in tree.items()})
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rows_of(value, rows, batch) for value in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(rows_of(value, rows, batch) for value in tree)
    return map_tensors(lambda x: x[rows] if x.ndim and x.shape[0] == batch else x, tree)


def concatenate(parts: list[Any]) -> Any:
    """Joins outputs of the same structure along the batch axis."""
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(parts)
    if isinstance(first, Mapping):
        return _filled(first, {key: concatenate([part[key] for part in parts]) for key in first})
    if isinstance(first, list | tuple):
        return type(first)(concatenate(list(values)) for values in zip(*parts, strict=True))
    return first


def first_tensor(tree: Any) -> torch.Tensor:
    """Returns the first tensor of an output. In denoisers of diffusers it is the prediction."""
    found: list[torch.Tensor] = []
    map_tensors(found.append, tree)
    return found[0]
