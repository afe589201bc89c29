"""Images that diffusers replaces by black: those with values that are not finite, and those that a safety checker flags."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from infsplign.evaluation.running.sampler import PipelineSampler
from infsplign.pipelines.output import images_of
from tests import tiny

PROMPT = "a circle to the left of a square"


def test_images_of_numbers_that_are_none_are_refused():
    pipe = tiny.sd()
    pipe.vae.decoder.conv_out.bias.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="values that are not finite"):
        images_of(lambda: pipe(PROMPT, num_inference_steps=2, guidance_scale=1.0))
    with pytest.raises(ValueError, match="values that are not finite"):
        PipelineSampler(pipe, steps=2)([PROMPT], [0], None)


@pytest.mark.parametrize("flags", [None, [False, True]])
def test_what_the_safety_checker_made_black_is_told(flags):
    pictures = [Image.new("RGB", (4, 4))] * 2
    images, unsafe = images_of(lambda: SimpleNamespace(images=pictures, nsfw_content_detected=flags))
    assert (images, unsafe) == (pictures, flags or [False, False])


def test_a_flagged_image_is_no_image_of_a_run(monkeypatch):
    pipe = tiny.sd()
    monkeypatch.setattr(pipe, "run_safety_checker", lambda image, *_: (image, [True]))
    with pytest.raises(ValueError, match="the safety checker of the pipeline took it for unsafe"):
        PipelineSampler(pipe, steps=2)([PROMPT], [0], None)


def test_other_warnings_of_numpy_are_let_be():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        images_of(lambda: SimpleNamespace(images=[np.ones(1) / np.zeros(1)]))
