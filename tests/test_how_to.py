"""The Python of the how-to pages on losses and traces runs as a reader would paste it, on a tiny pipeline."""

import re
import textwrap
from pathlib import Path

import pytest

import infsplign
from infsplign.engine.trace import StepTrace
from tests import tiny

PAGES = Path(__file__).parents[1] / "docs" / "how-to"
PROMPT = "a cat to the left of a dog"


def run(page, namespace):
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (PAGES / page).read_text("utf-8"), re.DOTALL)):
        exec(compile(textwrap.dedent(block), f"{page}, block {number}", "exec"), namespace)


@pytest.fixture(scope="module")
def namespace():
    pipe = tiny.sd()

    def short(prompt):
        return pipe(prompt, num_inference_steps=4)

    namespace, guide = {"prompt": PROMPT, "pipe": short, "infsplign": infsplign}, infsplign.guide
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infsplign, "guide", lambda _, *args, **kwargs: guide(pipe, *args, **kwargs))
        run("own-loss.md", namespace)
    return namespace


def test_own_loss_is_in_the_trace_as_the_page_says(namespace):
    trace = namespace["guidance"].trace
    assert [step.guided for step in trace] == [True, True, False, False]
    assert trace[0].terms["upper"].shape == (1,)
    assert {"unity", "excite"} < set(trace[0].terms)


def test_page_on_traces_prints_each_guided_step(namespace, capsys):
    run("read-a-trace.md", namespace)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1"]
    assert all("'upper'" in line for line in lines)


def test_page_on_traces_names_fields_that_exist():
    table = (PAGES / "read-a-trace.md").read_text("utf-8").split("## What it tells")[0]
    named = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    fields = {name for cell in named for name in re.findall(r"\w+", cell)}
    assert len(fields) == 11
    assert fields <= set(StepTrace.__dataclass_fields__)
