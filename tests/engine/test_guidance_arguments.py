"""What `Guidance` takes, and what a denoiser and a source of one's own may do."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from infsplign import Guidance
from infsplign.core.attention import AttentionMap
from tests.engine.test_steps import SCENE, Linear, Source, made


def test_scenes_and_tokens_belong_to_the_guidance():
    _, guidance = made()
    for name in ("scenes", "token_indices", "config"):
        with pytest.raises(AttributeError, match=name):
            setattr(guidance, name, getattr(guidance, name))


def test_a_denoiser_may_change_its_input():
    model, guidance = made()

    def scaled(sample, *args, **kwargs):
        sample *= 0.5
        return model(sample, *args, **kwargs)

    inplace = Guidance(scaled, Source(model), SCENE, [[0], [1]], guidance.config)
    x = torch.randn(1, 2, 5, 6)
    found = inplace(x.clone(), 3)
    assert torch.allclose(found.gradient, 0.5 * guidance(0.5 * x, 3).gradient)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([], "at least one layer, and each once, got none"),
        (["one", "one"], r"\('coarse', 'one'\), \('coarse', 'one'\)\], one of them twice"),
    ],
)
def test_a_source_records_each_layer_once(layers, told):
    model = Linear()

    class Other(Source):
        @contextmanager
        def record(self, sample, *_args, **_kwargs):
            maps = []
            yield maps
            maps.extend(AttentionMap(self.model.probabilities, tuple(sample.shape[-2:]), name, "coarse") for name in layers)

    with pytest.raises(ValueError, match=told):
        Guidance(model, Other(model), SCENE, [[0], [1]])(torch.randn(1, 2, 5, 6), 3)


def test_a_source_records_the_same_layers_in_each_pass():
    """A model that exits early would lose a level without a word."""
    model, names = Linear(), ["one", "two"]

    class Other(Source):
        @contextmanager
        def record(self, sample, *_args, **_kwargs):
            maps = []
            yield maps
            maps.extend(AttentionMap(self.model.probabilities, tuple(sample.shape[-2:]), name, "coarse") for name in names)

    guidance, x = Guidance(model, Other(model), SCENE, [[0], [1]]), torch.randn(1, 2, 5, 6)
    guidance(x, 3)
    names.reverse()
    guidance(x, 3)
    names.pop()
    with pytest.raises(ValueError, match="`source` must record the same layers in each pass"):
        guidance(x, 3)
    names.clear()
    with pytest.raises(ValueError, match="at least one layer, and each once, got none"):
        guidance(x, 3)


def test_a_source_of_arrays_is_refused_by_their_type():
    model, probabilities = Linear(), np.full((1, 1, 30, 3), 1 / 3)

    class Other(Source):
        @contextmanager
        def record(self, *_args, **_kwargs):
            yield [AttentionMap(probabilities, (5, 6), "one", "coarse")]

    with pytest.raises(TypeError, match="`source` must record torch tensors, got ndarray"):
        Guidance(model, Other(model), SCENE, [[0], [1]])(torch.randn(1, 2, 5, 6), 3)
