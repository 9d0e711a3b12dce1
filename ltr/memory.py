"""Memory: what is available, and an error before more than that is allocated."""

from __future__ import annotations

import os
from pathlib import Path

_GB = 1e9


def available_bytes() -> float:
    """Bytes of main memory that a new array may take without swapping.

    Returns
    -------
    n_bytes : float
        What Linux estimates as available, or the limit of the control group if that is
        lower; elsewhere the free pages; infinity where nothing can be read.

    Examples
    --------
    >>> available_bytes() > 0
    True
    """
    amounts = [float("inf")]
    try:
        amounts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # neither Linux nor another Unix
        return amounts[0]
    meminfo = _text("/proc/meminfo")
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):  # counts caches, which can be dropped
            amounts[-1] = 1024 * int(line.split()[1])
    limit = _text("/sys/fs/cgroup/memory.max").strip()
    usage = _text("/sys/fs/cgroup/memory.current").strip()
    if limit.isdigit() and usage.isdigit():
        amounts.append(int(limit) - int(usage))
    return max(0.0, min(amounts))


def check_memory(n_bytes: float, purpose: str, cure: str) -> None:
    """Raise if something needs more memory than there is.

    Parameters
    ----------
    n_bytes : float
        Estimate of what it needs.
    purpose : str
        What needs it, for the message.
    cure : str
        What to do instead, as a sentence.

    Raises
    ------
    MemoryError
        If that is more than :func:`available_bytes`.

    Examples
    --------
    >>> try:
    ...     check_memory(1e18, "a matrix of all pairs", "Use shorter lists.")
    ... except MemoryError as error:
    ...     print(str(error).split(" of memory")[0])
    a matrix of all pairs needs about 1,000,000,000.0 GB
    """
    available = available_bytes()
    if n_bytes > available:
        raise MemoryError(
            f"{purpose} needs about {n_bytes / _GB:,.1f} GB of memory, but "
            f"{available / _GB:,.1f} GB are available. {cure}"
        )


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
