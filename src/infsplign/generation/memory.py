"""Parses amounts of memory. Cheap to import."""

import re

UNITS = {
    "": 1e9, "b": 1, "kb": 1e3, "k": 1e3, "kib": 2**10, "mb": 1e6, "m": 1e6, "mib": 2**20, "gb": 1e9, "g": 1e9, "gib": 2**30,
    "tb": 1e12, "t": 1e12, "tib": 2**40,
}  # fmt: skip
MOST = 1e15
"""Bytes, more than any device has: an amount above it was meant in another unit."""


def parse_memory(text: str) -> float:
    """Parses an amount such as "12GB", "800 MiB" or "12" (in GB) to bytes.

    Raises:
        ValueError: it cannot be parsed, or is zero.

    >>> parse_memory("1.5 GB")
    1500000000.0
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    size = float(found[1]) * UNITS.get(found[2], 0) if found else 0
    if not 0 < size <= MOST:
        raise ValueError(f"`--memory` must be an amount such as 12GB, 800MB or 8GiB (12 alone is 12GB), got {text!r}")
    return size
