"""Figures of a guided run: sheets of images, overlays of attention, curves over the steps. See `docs/visuals.md`.

All functions return `PIL` images.
"""

from infsplign.visuals.attention import attention_overlay
from infsplign.visuals.curves import trace_plot
from infsplign.visuals.sheet import comparison_sheet

__all__ = ["attention_overlay", "comparison_sheet", "trace_plot"]
