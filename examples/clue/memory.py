"""Peak memory of this process, in megabytes."""

import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset() -> None:
    """Count the peak from here on, where the system can (Linux)."""
    try:
        _RESET.write_text("5")
    except OSError:  # not Linux, or not allowed: the peak is that since the start
        return


def peak_mb() -> float | None:
    """The largest resident memory since `reset`, in MB of 10**6 bytes.

    None where the system does not tell.
    """
    try:
        lines = _STATUS.read_text().splitlines()
        return next(int(x.split()[1]) for x in lines if x[:6] == "VmHWM:") * 1024 / 1e6
    except (OSError, StopIteration):
        if resource is None:
            return None
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
