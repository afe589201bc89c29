"""Checks of the arguments of `Guidance`, and the module behind a denoiser."""

from collections.abc import Sequence
from typing import Any

import torch

from infsplign.core.scenes import Scene
from infsplign.engine.checkpointing import blocks, checkpoints_itself
from infsplign.engine.config import GuidanceConfig
from infsplign.prompts.tokens import check_apart, check_token_indices


def check_denoiser(denoiser: Any, source: Any) -> None:
    """Raises TypeError for a pipeline or a function in place of a denoiser, and for a source that records nothing."""
    if not callable(denoiser) or hasattr(denoiser, "scheduler") or (hasattr(source, "source") and not hasattr(denoiser, "config")):
        raise TypeError(
            "`denoiser` must be the module that predicts the noise, such as `pipe.unet` or `pipe.transformer`, or with a source of your "
            f"own a function, got {type(denoiser).__name__}"
        )
    if not hasattr(source, "record") and not hasattr(source, "source"):
        raise TypeError(f"`source` must be a family (`Backbone`) or an `AttentionSource` with a method `record`, got {source!r}")


def listed_scenes(scenes: Any) -> tuple[Scene, ...]:
    """Returns one scene, or a list of them, as a tuple; raises TypeError for anything else, such as a prompt."""
    listed = [scenes] if isinstance(scenes, Scene) else scenes
    if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed or not all(isinstance(x, Scene) for x in listed):
        raise TypeError(f"`scenes` must be a `Scene`, or a list of at least one, such as `parse_prompt` returns, got {scenes!r:.100}")
    return tuple(listed)


def listed_tokens(token_indices: Any, scenes: Sequence[Scene], *, single: bool) -> list[Any]:
    """Returns the tokens of each object of each scene, checked.

    Args:
        token_indices: as `Guidance` takes them.
        scenes: for which they are.
        single: one scene was given without a list, so the outer list of tokens may be missing.

    Raises:
        ValueError: they do not fit the scenes, or two related objects have the same.
    """
    rows = [token_indices] if single and not _nested(token_indices, 3) else list(token_indices)
    counts = [len(scene.objects) for scene in scenes]
    if [len(row) for row in rows] != counts:
        raise ValueError(f"`token_indices` must give tokens for {counts} objects, got {[len(row) for row in rows]}")
    rows = [check_token_indices(row, scene.objects) for row, scene in zip(rows, scenes, strict=True)]
    for row, scene in zip(rows, scenes, strict=True):
        check_apart(row, scene)
    return rows


def module_of(denoiser: Any, source: Any, config: GuidanceConfig) -> torch.nn.Module | None:
    """Returns the denoiser as a module: the denoiser, the owner of its method, or the module that the source records.

    Raises:
        ValueError: the plan "checkpoint" needs a module with blocks, and there is none.
    """
    for found in (denoiser, getattr(denoiser, "__self__", None), getattr(source, "denoiser", None)):
        if isinstance(found, torch.nn.Module):
            if config.plan == "checkpoint" and not blocks(found) and not checkpoints_itself(found.modules()):
                raise ValueError(
                    f'`plan` "checkpoint" finds no blocks in {type(found).__name__}, neither by `_no_split_modules` nor in a '
                    '`torch.nn.ModuleList`, so that it would save nothing; hold its blocks in one, or use "split"'
                )
            return found
    if config.plan == "checkpoint":
        raise ValueError('`plan` "checkpoint" runs the blocks of a `torch.nn.Module` again, got a denoiser that is none; use "split"')
    return None


def _nested(value: Any, depth: int) -> bool:
    """Whether `value` is a list nested `depth` levels deep."""
    listed = hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0  # the numbers of a tensor have a `__len__` too
    return depth == 0 or (listed and any(_nested(item, depth - 1) for item in value))
