"""The Python of `docs/core.md` runs as a reader would paste it, and prints what the page says."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "core.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def page():
    """The namespace that all blocks leave, run in order, and what they print."""
    printed = []
    namespace = {"print": lambda *values: printed.append(" ".join(map(str, values)))}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"core.md, block {number}", "exec"), namespace)
    return namespace, printed


def test_blocks_print_what_stands_beside_them(page):
    shown = re.findall(r"print\(.*\)  # (.*)", "\n".join(BLOCKS))
    assert len(shown) == 6
    assert page[1] == shown


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
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / link).exists(), link


def test_lines_are_as_long_as_elsewhere():
    assert max(len(line) for block in BLOCKS for line in block.splitlines()) <= 140
