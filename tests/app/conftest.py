"""One real result of the shipped model, few steps; made once for all tests of the page."""

from threading import Event

import pytest

from infsplign.app.results import Result
from infsplign.app.workshop import News, Workshop
from infsplign.generation.options import GenerateOptions

PROMPT = "a heart to the right of a diamond"


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    return Workshop(GenerateOptions(device="cpu", dtype="fp32"))


@pytest.fixture(scope="session")
def news(workshop) -> list[News]:
    return list(workshop.make(GenerateOptions(PROMPT, model="shapes", steps=4), Event()))


@pytest.fixture(scope="session")
def result(news) -> Result:
    found = news[-1].result
    assert found is not None, news[-1].failure
    return found
