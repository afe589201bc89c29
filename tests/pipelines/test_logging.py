"""What guidance logs: layers, plan, reading and tokens at INFO, each step's action at DEBUG; nothing unless it is asked for."""

import logging
import subprocess
import sys

import infsplign
from tests import tiny

PROMPT = "a cat to the left of a dog"


def sample(**options):
    pipe = tiny.sd()
    with infsplign.guide(pipe, PROMPT, config=infsplign.RECOMMENDED.with_(**options)) as guidance:
        pipe(PROMPT, num_inference_steps=4)
    return guidance


def test_layers_plan_and_tokens_are_logged_once_a_call(caplog):
    with caplog.at_level("INFO", "infsplign"):
        guidance = sample(plan="checkpoint")
    layers, plan, reading, tokens = caplog.messages
    assert layers.startswith("layers: {'coarse': (")
    assert plan == "plan: checkpoint, from 0 to 0.5 of the steps"
    assert reading == "reading: cat left of dog"
    assert repr(guidance) == "<PipelineGuidance of StableDiffusionPipeline: cat left of dog>"
    assert tokens == f"tokens: {dict(zip(('cat', 'dog'), guidance.token_indices[0], strict=True))}"


def test_a_plan_that_was_chosen_is_logged_with_its_reason(caplog):
    with caplog.at_level("INFO", "infsplign"):
        guidance = sample()
    assert caplog.messages[1] == f"plan: {guidance.plan.plan} ({guidance.plan.why}), from 0 to 0.5 of the steps"
    assert "(cpu)" in guidance.plan.why


def test_what_each_step_does_is_logged(caplog):
    with caplog.at_level("DEBUG", "infsplign.engine"):
        guidance = sample(patience=1, margin_hold=0.0, stop=1.0, spatial=0.0)
    actions = [message.split(": ")[1] for message in caplog.messages]
    assert actions == ["guided" if s.guided else "watched" if s.watched else "plain" for s in guidance.trace]
    assert len(actions) == 4


def test_import_adds_a_handler_that_writes_nothing():
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("infsplign").handlers)
    code = "import infsplign, logging; logging.getLogger('infsplign.engine').error('not to be seen')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")
