"""Core stands alone: neither torch nor diffusers is imported, or needed."""

import doctest
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import infsplign

HEAVY = ("torch", "diffusers", "transformers", "jax", "PIL", "scipy")

WORK = """
import numpy
from infsplign.core import AttentionMap, Scene, paper_loss, scene_arrays, token_weights
maps = AttentionMap(numpy.ones((1, 1, 6, 4)) / 4, (2, 3))
scene = scene_arrays([Scene.of([("cat", "left of", "dog")])], xp=numpy)
print(float(paper_loss()([maps], token_weights([[[1], [2]]], 4, xp=numpy), scene).total[0]))
"""


def run(code):
    """Runs `code` in a fresh interpreter that finds this very package."""
    source = str(Path(infsplign.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", ["infsplign", "infsplign.core"])
def test_importing_loads_nothing_heavy(module):
    found = run(f"import sys, {module}; print({module!r} in sys.modules, [name for name in {HEAVY} if name in sys.modules])")
    assert found.split("\n")[0] == "True []"


def test_core_works_where_torch_is_not_installed():
    """Two uniform maps lie in the middle, spread evenly: GELU(0.75 * 0.25) + 2 v."""
    found = float(run(f"import sys; sys.modules.update(dict.fromkeys({HEAVY}))" + WORK))
    assert found == pytest.approx(0.1875 * 0.574366 + 2 * (1 / 6 + 1 / 4), abs=1e-6)


@pytest.mark.parametrize("name", ["attention", "chunks", "scenes", "spellings", "statistics", "terms.excite", "terms.layout", "update"])
def test_examples_in_docstrings_hold(name):
    result = doctest.testmod(import_module(f"infsplign.core.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
