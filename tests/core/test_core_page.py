"""The Python of `docs/core.md` runs as a reader would paste it, and prints what the page says."""

import jax
import numpy as np
import pytest

from tests.pages import Page

PAGE = Page("docs/core.md")


@pytest.fixture(scope="module")
def page():
    """The namespace that all blocks leave, run in order, and what they print."""
    return PAGE.run()


def test_blocks_print_what_stands_beside_them(page):
    assert len(PAGE.shown()) == 6
    assert page[1] == PAGE.shown()


def test_the_types_are_those_of_the_table(page):
    namespace, _ = page
    assert namespace["report"].total.dtype == np.float64
    assert namespace["latents"].dtype == np.float32
    assert str(namespace["value"].dtype) == "float32"
    half = namespace["observe"](np.ones((1, 2, 3, 3), dtype=np.float16))
    assert {x.dtype for x in half} == {np.dtype(np.float32)}


def test_the_gradient_of_jax_is_that_of_central_differences(page):
    namespace, _ = page
    loss, latents, rest = namespace["loss"], namespace["latents"], (namespace["scene"], namespace["weights"])
    along = jax.random.normal(jax.random.key(1), latents.shape, dtype=latents.dtype)
    ahead, behind = (float(loss(latents + sign * 1e-2 * along, *rest)) for sign in (1, -1))
    slope = float((jax.grad(loss)(latents, *rest) * along).sum())
    assert abs(slope) > 1e-3
    assert slope == pytest.approx((ahead - behind) / 2e-2, rel=0.02)


def test_links_lead_somewhere():
    assert PAGE.broken_links() == []


def test_lines_are_as_long_as_elsewhere():
    assert PAGE.longest_line() <= 140
