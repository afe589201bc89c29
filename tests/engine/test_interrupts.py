"""Ctrl-C while something is attached or taken off: it is put off to the end, and nothing is left behind."""

import signal
from threading import Thread

import pytest

from infsplign.engine import interrupts
from infsplign.engine.interrupts import attachments, uninterrupted


def handlers():
    return [signal.getsignal(number) for number in interrupts._SIGNALS]


def test_an_interrupt_comes_at_the_end():
    before, done = handlers(), []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("after")
    assert (done, handlers()) == (["after"], before)


def test_it_comes_at_the_end_of_the_outermost_context():
    before, done = handlers(), []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
            done.append("after")
    assert (done, handlers()) == (["after"], before)


def test_an_error_inside_is_not_lost():
    before = handlers()
    with pytest.raises(ValueError, match="mine"), uninterrupted():
        raise ValueError("mine")
    assert handlers() == before
    with pytest.raises(KeyboardInterrupt) as error, uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")
    assert isinstance(error.value.__context__, ValueError)
    assert handlers() == before


def test_other_handlers_run_at_the_end_too(monkeypatch):
    called = []
    old = signal.signal(signal.SIGTERM, lambda number, _frame: called.append(number))
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            assert called == []
        assert called == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, old)


def test_two_that_came_are_both_handled():
    called, before = [], signal.signal(signal.SIGTERM, lambda *_: called.append("TERM"))
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        assert called == ["TERM"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_one_that_comes_while_handlers_are_put_back_leaves_none_of_ours(monkeypatch):
    before, put = handlers(), interrupts._put_back

    def interrupted(known):
        monkeypatch.setattr(interrupts, "_put_back", put)
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupts, "_put_back", interrupted)
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        pass
    assert (handlers(), interrupts._put_off) == (before, [])


def test_other_threads_have_no_handlers():
    before, done = handlers(), []

    def run():
        with uninterrupted():
            done.append(handlers())

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert done == [before]


@pytest.mark.parametrize("where", ["inside", "while it is taken off"])
def test_everything_is_taken_off(where):
    left = ["a", "b", "c"]
    with pytest.raises(KeyboardInterrupt):
        with attachments() as stack:
            stack.callback(left.remove, "a")
            if where != "inside":
                stack.callback(signal.raise_signal, signal.SIGINT)
            stack.callback(left.remove, "b")
            stack.callback(left.remove, "c")
            if where == "inside":
                signal.raise_signal(signal.SIGINT)
    assert left == []


def test_an_interrupt_before_it_is_put_off_takes_everything_off_too(monkeypatch):
    left = ["a"]

    def late():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with attachments() as stack:
            stack.callback(left.remove, "a")
            monkeypatch.setattr(interrupts, "uninterrupted", late)
    assert left == []
