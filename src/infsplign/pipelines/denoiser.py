"""The denoiser's side of a guided pipeline: wraps `forward`, and runs each pass by the call's `Steps`."""

import inspect
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from infsplign.adapters.rows import text_of
from infsplign.errors import UnsupportedPipelineError
from infsplign.pipelines.call import Call, Calls
from infsplign.pipelines.running import call_argument, running_pipeline

OF_THE_PICTURE = ("side", "centre", "near", "far")
"""Equations that measure in parts of the picture."""
Watch = Callable[[Any], None]
"""Takes the pipeline that is running, and sees to it that its scheduler is wrapped too."""


class GuidedDenoiser:
    """Stands in for a denoiser's `forward`. The first pass of each step runs by the step's plan, further passes run unchanged.

    Attributes:
        forward: the original method; offloading replaces it between calls.
    """

    def __init__(self, calls: Calls, watch: Watch) -> None:
        self.calls, self.watch = calls, watch
        self.forward: Callable[..., Any] = calls.denoiser.forward
        self.told = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._guided(*args, **kwargs)
        except BaseException:
            self.calls.failed = True
            raise

    def _guided(self, *args: Any, **kwargs: Any) -> Any:
        name = None if args else next((n for n in ("sample", "hidden_states") if n in kwargs), None)
        if not args and name is None:
            return self.forward(*args, **kwargs)
        sample = args[0] if name is None else kwargs[name]
        if not isinstance(sample, Tensor):
            raise UnsupportedPipelineError(
                f"`pipe` must call its denoiser with one tensor of latents, got a {type(sample).__name__}: "
                f"{type(self.calls.denoiser).__name__} takes the pictures of a batch as a list, which `guide` does not support"
            )
        if sample.requires_grad and torch.is_grad_enabled():  # a gradient of the pipeline's own, as Attend-and-Excite takes
            self.calls.own = True
            return self.forward(*args, **kwargs)
        pipe = running_pipeline(self.calls.denoiser, self.calls.backbone.denoiser) or self.calls.pipe
        self.watch(pipe)
        rest, options = _named(type(self.calls.denoiser), args if name is not None else args[1:], kwargs)
        options = {key: value for key, value in options.items() if key != name}
        call = self.calls.of_pass(self.forward, pipe.scheduler, sample, rest, options)
        if call.steps.plan is None and not call.steps.trace:
            self._warn_of_masks(pipe, sample, options)
            self._warn_of_crop(pipe)
        rows = self.calls.rows_of(sample, options)
        if call.steps.plan is None:
            call.seen = sample[rows.conditional]
        output = call.steps.run(sample, rest, options, place=call.place, rows=rows)
        self._warn_of_keys(call, len(sample), options)
        return output

    def _warn_of_keys(self, call: Call, rows: int, kwargs: dict[str, Any]) -> None:
        """A processor of one's own may put further keys before the text: the objects' positions are then others. Told once."""
        text, keys = text_of(kwargs, rows), call.steps.guidance.scene_loss.keys
        if not isinstance(self.calls.denoiser, UNet2DConditionModel) or text is None or not keys or keys == text.shape[1] or self.told:
            return
        self.told = True
        warnings.warn(
            f"the layers that are read attend to {keys} keys, and the text has {text.shape[1]} tokens: where a processor puts keys before "
            "the text, guidance reads the wrong ones. Put them behind it",
            stacklevel=2,
        )

    def _warn_of_crop(self, pipe: Any) -> None:
        """An inpainting pipeline may sample a part of the picture as if it were the whole: directions stay, places and distances do not."""
        names = [edge.relation.name for scene in self.calls.scenes for edge in scene.relations if edge.relation.equation in OF_THE_PICTURE]
        if names and call_argument(pipe, "padding_mask_crop") is not None:
            warnings.warn(
                f"`padding_mask_crop` makes {type(pipe).__name__} sample a part of the picture; {names[0]!r} is guided within it",
                stacklevel=2,
            )

    def _warn_of_masks(self, pipe: Any, sample: Tensor, kwargs: Any) -> None:
        scenes = self.calls.scenes
        if self.calls.backbone.image_major_masks and self.calls.rows_of(sample, kwargs).size > len(scenes) > 1:
            warnings.warn(
                f"{type(pipe).__name__} gives the rows of several prompts with several images each other's attention masks (a fault "
                "of diffusers, whether guided or not); call it with one prompt at a time, or with one image a prompt",
                stacklevel=2,
            )


def _named(kind: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments after the latents by their names, as pipelines give them: a loop of one's own may give them by their places.
    What has no name stays where it is."""
    names = _parameters(kind)[1 : 1 + len(args)]
    if len(names) < len(args) or set(names) & kwargs.keys():
        return args, kwargs
    return (), dict(zip(names, args, strict=True)) | kwargs


@cache
def _parameters(kind: type) -> list[str]:
    """Names of the arguments of a denoiser's `forward`, the latents first, that may be given by their places or names."""
    _self, *found = inspect.signature(kind.forward).parameters.values()
    return [parameter.name for parameter in found if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
