"""`infsplign app`: the page in a browser."""

import importlib.util
import socket
from collections.abc import Sequence

from infsplign.generation.models import check_model
from infsplign.generation.options import GenerateOptions
from infsplign.shipped.loading import INSTALL, shipped
from infsplign.shipped.presets import DEFAULT

EXTRA = "`infsplign app` needs gradio: `pip install 'infsplign[app]'`"


def run(models: Sequence[str], base: GenerateOptions, *, host: str, port: int) -> None:
    """Checks the options and serves the page until it is interrupted.

    Args:
        models: beside the shipped ones.
        base: options of all images, which the page does not change: preset, plan, offload, device, dtype.
        host, port: where it listens.

    Raises:
        ValueError: gradio is not installed, or an invalid option.
        OSError: a model cannot be found, or the port cannot be used.
    """
    if importlib.util.find_spec("gradio") is None:
        raise ValueError(EXTRA)
    listed = list(dict.fromkeys([*models, *sorted(shipped(), key=lambda name: name != DEFAULT)]))
    if not listed:
        raise ValueError(f"no model is installed: {INSTALL}, or name one by `--model`")
    base.check()
    check_address(host, port)
    for model in (*models, listed[0]):  # one at least, so that device and dtype are checked
        check_model(model, device=base.device, dtype=base.dtype)
    from infsplign.app.server import serve
    from infsplign.app.workshop import Workshop

    serve(Workshop(base), listed, host=host, port=port)


def check_address(host: str, port: int) -> None:
    """Raises OSError where nothing can listen: the server itself would try for long, and name neither option."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (")[0].lower()
        raise OSError(f"cannot listen at {host}{f':{port}' * (port > 0)}, {why}; choose another `--host` or `--port`") from error
