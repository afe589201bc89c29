"""The most memory that this process has held."""

import resource
import sys
from pathlib import Path


def peak() -> int:
    """Bytes of resident memory at the most.

    Linux hands `ru_maxrss` on from the process that started this one; its `VmHWM` begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
