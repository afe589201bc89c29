"""What a search keeps of its passes when it is gone on with."""

import json

from PIL import Image

from benchmarks import search
from benchmarks.search import CountingSampler
from infsplign.engine.passes import Passes
from infsplign.evaluation.files import write_json


class Pipeline:
    """Makes one image a text."""

    def __call__(self, texts, **_options):
        return type("Made", (), {"images": [Image.new("RGB", (4, 4))] * len(texts)})

    def set_progress_bar_config(self, **_options): ...


class Guided:
    """A guidance whose images have needed as many guided passes as they are."""

    def __init__(self, _pipe, texts, **_options):
        self.needed = Passes(guided=len(texts) ** 2)

    def __enter__(self):
        return self

    def __exit__(self, *_): ...


def test_a_batch_that_is_made_again_with_more_images_counts_once(monkeypatch, tmp_path):
    monkeypatch.setattr(search, "guide", Guided)
    sampler = CountingSampler(Pipeline(), tmp_path, {"a": (config := search.PAPER)}, steps=2, guidance_scale=1.0)
    sampler(["x", "x"], [1, 2], config)
    sampler(["x"], [3], config)
    sampler(["x", "x"], [3, 4], config)  # the list has grown by one
    assert sampler.per_image("a")["guided"] == 2.0
    kept = json.loads(sampler.path.read_text())
    write_json(sampler.path, {"a": {key: {k: v for k, v in batch.items() if k != "seeds"} for key, batch in kept["a"].items()}})
    older = CountingSampler(Pipeline(), tmp_path, {"a": config}, steps=2, guidance_scale=1.0)  # as they were written before
    older(["x"], [5], config)
    assert older.per_image("a")["guided"] == 9 / 5
