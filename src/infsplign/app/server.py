"""Starts the page on this machine. Nothing is loaded from, or sent to, any other server."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from infsplign.app.page import build
from infsplign.app.workshop import Workshop

STYLE = Path(__file__).parent / "style.css"
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def serve(workshop: Workshop, models: Sequence[str], *, host: str, port: int, block: bool = True) -> tuple[gr.Blocks, str]:
    """Starts the server.

    Args:
        workshop: samples for all visitors.
        models: that can be chosen.
        host, port: where it listens; port 0 takes any free one from 7860 on.
        block: wait until it is interrupted.

    Returns:
        The page and its address.

    Raises:
        OSError: the port is taken, or the host is not one of this machine.
    """
    page = build(workshop, models)
    page.queue(default_concurrency_limit=1, api_open=False)
    theme = gr.themes.Default(primary_hue="teal", font=FONTS, font_mono=MONO, text_size="sm")
    options: dict[str, Any] = {"share": False, "quiet": True, "ssr_mode": False, "pwa": False, "mcp_server": False, "run_history": False,
                               "enable_monitoring": False, "footer_links": [], "show_error": False}  # fmt: skip
    _, address, _ = page.launch(
        server_name=host, server_port=port or None, prevent_thread_lock=True, theme=theme, css_paths=[STYLE], inbrowser=False, **options
    )
    if block:
        print(f"infsplign app: {address} (Ctrl-C ends it)", flush=True)
        page.block_thread()
    return page, address
