"""The plot of layers x noise."""

import numpy as np
import pytest

from infsplign.visuals.layers import LONGEST, _short, layers_plot

NAMES = ["a.very.long.name.of.a.layer.that.does.not.fit.into.the.margin.attn2", "b"]


def test_every_layer_and_the_bounds_are_drawn():
    agreement = np.array([[0.0, 0.5], [0.9, np.nan]])
    plain = layers_plot(NAMES, [0.0, 0.5], agreement)
    whole = layers_plot(NAMES, [0.0, 0.5], agreement, chosen=[0], stop=0.5, bounds={0.05: 0.2, 0.1: 0.4}, bound=0.1, title="A model")
    assert plain.size[0] == whole.size[0] > 1000
    assert (np.asarray(plain) != 255).any()
    many = layers_plot([str(k) for k in range(40)], [0.0, 0.5], np.zeros((2, 40)))
    assert many.size[1] > 2 * plain.size[1]


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"`agreement` must have shape \(2, 2\), got \(2, 1\)"):
        layers_plot(NAMES, [0.0, 0.5], np.zeros((2, 1)))


def test_names_that_are_shortened_still_differ():
    parts = [f"{part}.attentions.{k}" for part in ("down_blocks.1", "up_blocks.1") for k in (0, 1)]
    names = [f"{part}.transformer_blocks.{n}.attn2" for part in parts for n in (0, 9)]
    shown = [_short(name) for name in names]
    assert len(set(shown)) == len(names)
    assert all(len(text) <= LONGEST for text in shown)
    assert _short("mid_block.attn") == "mid_block.attn"
