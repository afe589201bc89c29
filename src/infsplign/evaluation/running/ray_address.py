"""Tells within seconds whether a Ray cluster can be at an address: Ray itself tries for over a minute. Imports no Ray."""

import os
import re
import socket
import threading

from infsplign.evaluation.reading import short

WAIT = 2.5
"""Seconds for a name to be resolved and a server to answer."""
_ADDRESS = re.compile(r"(?:ray://)?(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9][\w.-]*)):(?P<port>\d{1,5})")
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""The connection preface of HTTP/2, which gRPC speaks, with empty settings (RFC 9113, section 3.4)."""
_SETTINGS = 4


def check_ray_address(address: str) -> None:
    """Refuses an address at which no Ray cluster can be.

    Args:
        address: "local", "auto" (the cluster of this machine, or of `RAY_ADDRESS`), host:port or ray://host:port.

    Raises:
        ValueError: no such address.
        OSError: nobody answers there, or no gRPC server.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    if address in ("auto", "local"):
        return
    found = _ADDRESS.fullmatch(address)
    if found is None or not 1024 <= int(found["port"]) <= 65535:
        raise ValueError(f'`--ray` must be "local", "auto", or host:port such as 10.0.0.5:6379, port 1024 to 65535, got {short(address)}')
    if reason := _fault(found["six"] or found["host"], int(found["port"])):
        raise OSError(f"`--ray` {address!r}: no cluster can be used there: {reason}")


def _fault(host: str, port: int) -> str:
    """Why there is no server that speaks gRPC, empty where there is one. A thread asks: resolving a name has no time limit of its own."""
    told = [f"no answer within {WAIT:g} seconds"]

    def ask() -> None:
        try:
            greeting = _greeting(host, port)
        except TimeoutError:
            return
        except (OSError, UnicodeError) as error:
            told[0] = getattr(error, "strerror", None) or str(error)
            return
        tls = os.environ.get("RAY_USE_TLS", "0") not in ("", "0")
        told[0] = "" if tls or greeting[3:4] == bytes([_SETTINGS]) else "what answers is no Ray server"

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(WAIT)
    return told[0]


def _greeting(host: str, port: int) -> bytes:
    """The beginning of what a server answers to HTTP/2."""
    with socket.create_connection((host, port), timeout=WAIT) as connection:
        connection.sendall(_HELLO)
        greeting = b""
        while len(greeting) < 9 and (more := connection.recv(9 - len(greeting))):
            greeting += more
        return greeting
