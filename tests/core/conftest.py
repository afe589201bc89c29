"""Libraries of the array-API standard that core is tested on."""

import array_api_compat.numpy
import array_api_compat.torch
import array_api_strict
import pytest

LIBRARIES = {"numpy": array_api_compat.numpy, "strict": array_api_strict, "torch": array_api_compat.torch}


@pytest.fixture(scope="session", params=LIBRARIES.values(), ids=LIBRARIES)
def xp(request):
    """Each library in turn."""
    return request.param


@pytest.fixture(scope="session", params=["strict", "torch"])
def other(request):
    """Each library but numpy, to be compared with numpy."""
    return LIBRARIES[request.param]
