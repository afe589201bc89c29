"""Amounts of memory, as people write them. Cheap to import."""

import re

UNITS = {"": 1e9, "gb": 1e9, "g": 1e9, "gib": 2**30, "mb": 1e6, "m": 1e6, "mib": 2**20}


def parse_memory(text: str) -> float:
    """Bytes of an amount such as "12GB", "800 MiB" or "12", which is in GB.

    Raises:
        ValueError: it cannot be read, or is nothing.

    >>> parse_memory("1.5 GB")
    1500000000.0
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in UNITS or not float(found[1]):
        raise ValueError(f"`--memory` must be an amount such as 12GB, 800MB or 8GiB, got {text!r}")
    return float(found[1]) * UNITS[found[2]]
