"""Puts Ctrl-C off while something is attached to a model or taken off it, so that nothing is left behind."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import current_thread, main_thread
from typing import Any

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]
_put_off: list[bool] = []
"""Not empty while the main thread is in a context of `uninterrupted`."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Puts interrupts off to the end of the context, where they are handled. Python runs the handler of a signal between any two operations
    of the main thread, for instance between the registration of a hook and the place where its handle is kept."""
    if _put_off or current_thread() is not main_thread():
        yield
        return
    handlers = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}
    came: list[Any] = []
    try:
        _put_off.append(True)
        for number in handlers:
            signal.signal(number, lambda *arguments: came.append(arguments))
        yield
    finally:
        try:
            _put_back(handlers)
        except BaseException:  # one came between two of them
            _put_back(handlers)
            raise
        finally:
            _handle(came, handlers)


def _put_back(handlers: dict[int, Any]) -> None:
    _put_off.clear()
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _handle(came: list[Any], handlers: dict[int, Any]) -> None:
    """Handles all that came, also where the handler of one raises an error."""
    if came:
        try:
            handlers[came[0][0]](*came[0])
        finally:
            _handle(came[1:], handlers)


@contextmanager
def attachments() -> Iterator[ExitStack]:
    """An `ExitStack` for what is attached inside the context; an interrupt does not keep it from taking everything off."""
    stack = ExitStack()
    try:
        yield stack
    finally:
        try:
            with uninterrupted():
                stack.close()
        except BaseException:  # an interrupt came before it was put off
            stack.close()
            raise
