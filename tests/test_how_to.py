"""The Python of the how-to pages on losses and traces runs as a reader would paste it, on a tiny pipeline."""

import re

import pytest
import torch

import infsplign
from infsplign.engine.trace import StepTrace
from tests import tiny
from tests.pages import Page

OWN_LOSS, TRACE, ADAPTER = (Page(f"docs/how-to/{name}.md") for name in ("own-loss", "read-a-trace", "own-adapter"))
PROMPT = "a cat to the left of a dog"


@pytest.fixture(scope="module")
def namespace():
    pipe = tiny.sd()

    def short(prompt):
        return pipe(prompt, num_inference_steps=4)

    namespace, guide = {"prompt": PROMPT, "pipe": short, "infsplign": infsplign}, infsplign.guide
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infsplign, "guide", lambda _, *args, **kwargs: guide(pipe, *args, **kwargs))
        return OWN_LOSS.run(namespace)[0]


def test_own_loss_is_in_the_trace_as_the_page_says(namespace):
    trace = namespace["guidance"].trace
    assert [step.guided for step in trace] == [True, True, False, False]
    assert trace[0].terms["upper"].shape == (1,)
    assert {"unity", "excite"} < set(trace[0].terms)


def test_page_on_traces_prints_each_guided_step(namespace):
    _, lines = TRACE.run(namespace)
    assert [line.split()[0] for line in lines] == ["0", "1"]
    assert all("'upper'" in line for line in lines)


def test_page_on_traces_names_fields_that_exist():
    table = TRACE.text.split("## What it tells")[0]
    named = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    fields = {name for cell in named for name in re.findall(r"\w+", cell)}
    assert len(fields) == 15
    assert fields <= set(StepTrace.__dataclass_fields__)


def test_page_on_adapters_guides_its_denoiser():
    denoiser = tiny.sd().unet.eval()
    namespace, _ = ADAPTER.run({"denoiser": denoiser, "timesteps": [900, 500, 100]})
    text = torch.randn(1, 10, 32)
    for t in (900, 500, 100):
        namespace["steps"](torch.randn(1, 4, 16, 16), torch.tensor(t), encoder_hidden_states=text)
        namespace["steps"].shifted(torch.zeros(1, 4, 16, 16))
    assert [step.guided for step in namespace["steps"].trace] == [True, True, False]
