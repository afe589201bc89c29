"""The images of a pipeline's call. Diffusers replaces by black what it cannot show; that is no image of the prompt."""

import warnings
from collections.abc import Callable
from typing import Any

UNSAFE = "the safety checker of the pipeline took it for unsafe and made it black; try another seed, or load the model without the checker"


def images_of(call: Callable[[], Any]) -> tuple[list[Any], list[bool]]:
    """Runs a pipeline's call.

    Returns:
        Its images, and which of them its safety checker has made black.

    Raises:
        ValueError: an image has values that are not finite.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "invalid value encountered in cast", RuntimeWarning)
        try:
            output = call()
        except RuntimeWarning as error:
            raise ValueError(
                "an image has values that are not finite, as float16 makes them where its range does not suffice; use float32 or bfloat16 "
                '(`--dtype fp32`), or another `--vae`'
            ) from error
    images = list(output.images)
    return images, [bool(flag) for flag in getattr(output, "nsfw_content_detected", None) or [False] * len(images)]
