"""`infsplign app` before the page: its options, and what is said where gradio is missing."""

import errno
import importlib.util
import os
import socket

import pytest
from typer.testing import CliRunner

from infsplign.app import server
from infsplign.cli import app
from infsplign.shipped import DEFAULT, shipped


@pytest.fixture
def served(monkeypatch):
    """What the server would be started with."""
    calls = []
    monkeypatch.setattr(server, "serve", lambda workshop, models, **options: calls.append((workshop, models, options)))
    return calls


def run(*arguments):
    return CliRunner().invoke(app, ["app", *arguments])


def test_it_listens_on_this_machine_alone_unless_told_otherwise(served):
    assert run().exit_code == 0
    assert served[0][1:] == ([DEFAULT, *(name for name in shipped() if name != DEFAULT)], {"host": "127.0.0.1", "port": 0})
    assert run("--host", "0.0.0.0", "--port", "18765", "--device", "cpu", "--dtype", "bf16").exit_code == 0
    assert served[1][2] == {"host": "0.0.0.0", "port": 18765}
    assert (served[1][0].base.device, served[1][0].base.dtype) == ("cpu", "bf16")


def test_models_of_the_command_line_come_first_and_each_once(served):
    assert run("--model", "shapes-sd3", "--model", "shapes-sd3").exit_code == 0
    assert served[0][1] == ["shapes-sd3", DEFAULT, *(name for name in shipped() if name not in ("shapes-sd3", DEFAULT))]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "./nothing"], "there is no model folder './nothing'"),
        (["--dtype", "int8"], "`--dtype` must be"),
        (["--port", "70000"], "--port"),
        (["--plan", "nothing"], "`--plan` must be one of"),
        (["--preset", "nothing.json"], "nothing.json"),
    ],
)
def test_bad_options_end_it_before_the_server(served, arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert served == []


def test_an_address_that_is_taken_or_not_of_this_machine_ends_it_at_once(served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert done.exit_code == 2
    told = f"cannot listen at 127.0.0.1:{port}, {os.strerror(errno.EADDRINUSE).lower()}; choose another `--host` or `--port`"
    assert told in " ".join(done.stderr.split())
    for host in ("no.such.host", "192.0.2.1"):  # the second is kept for documentation, no machine has it
        done = run("--host", host)
        assert (done.exit_code, served) == (2, [])
        assert f"cannot listen at {host}, " in " ".join(done.stderr.split())


def test_a_missing_gradio_names_the_extra(served, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "gradio" else find(name, *rest))
    done = run()
    assert done.exit_code == 2
    assert "pip install 'infsplign[app]'" in done.stderr
    assert served == []


def test_analytics_are_off():
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
