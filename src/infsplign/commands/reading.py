"""What every option for a file that is read has in common."""

from typing import Any

READ: dict[str, Any] = {"exists": True, "dir_okay": False}
"""Keyword arguments of `typer.Option`: a missing file, or a folder, is refused by the option's name before anything else is done."""
