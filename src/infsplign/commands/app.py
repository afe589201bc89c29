"""`infsplign app`: the page in a browser."""

import importlib.util
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
    for model in (*models, listed[0]):  # one at least, so that device and dtype are checked
        check_model(model, device=base.device, dtype=base.dtype)
    from infsplign.app.server import serve
    from infsplign.app.workshop import Workshop

    serve(Workshop(base), listed, host=host, port=port)
