"""Libraries of the array-API standard that core is tested on.

Properties run on numpy and torch (`xp`). The strict reference of the standard is slow and gives numpy's numbers by construction, and jax
compiles anew for each shape, seconds each: `test_agreement.py` and `test_neutral.py` hold these two to numpy's values, for all of core.
"""

import warnings

import array_api_compat.numpy
import array_api_compat.torch
import array_api_strict
import pytest

LIBRARIES = {"numpy": array_api_compat.numpy, "strict": array_api_strict, "torch": array_api_compat.torch}


@pytest.fixture(scope="session", params=["numpy", "torch"])
def xp(request):
    """Each library that is quick, in turn."""
    return LIBRARIES[request.param]


@pytest.fixture(scope="session", params=["strict", "torch"])
def other(request):
    """Each library but numpy, to be compared with numpy."""
    return LIBRARIES[request.param]


@pytest.fixture(scope="session")
def jnp():
    """`jax.numpy` in double precision."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax.numpy


@pytest.fixture(scope="session")
def torch_compile():
    """`torch.compile` without graph breaks, and without the C++ compiler: what dynamo accepts, inductor does."""
    import torch

    def compiled(f):
        whole = torch.compile(f, fullgraph=True, backend="aot_eager", dynamic=False)

        def quiet(*args):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")  # within array_api_compat
                return whole(*args)

        return quiet

    return compiled
