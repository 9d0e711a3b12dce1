"""Memory: what is available, and an error before more than that is allocated."""

from __future__ import annotations

import os
from pathlib import Path

_GB = 1e9
_CGROUP_LIMIT = "/sys/fs/cgroup/memory.max"


def available_bytes() -> float:
    """Bytes of main memory that a new array may take without swapping.

    Returns
    -------
    n_bytes : float
        What Linux estimates as available, or what the limits of the control group and
        of the process (``ulimit``) leave if that is less; elsewhere the free pages;
        infinity where nothing can be read.

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
    limit = _text(_CGROUP_LIMIT).strip()
    usage = _text("/sys/fs/cgroup/memory.current").strip()
    if limit.isdigit() and usage.isdigit():
        amounts.append(int(limit) - int(usage))
    return max(0.0, min([*amounts, *_bytes_to_limits()]))


def memory_bytes() -> float:
    """Bytes of main memory that this process may have, whatever is in use.

    Returns
    -------
    n_bytes : float
        That of the machine, or a limit of the control group or of the process
        (``ulimit``) if that is lower; infinity where nothing can be read.

    Examples
    --------
    >>> memory_bytes() > 0
    True
    """
    try:
        amounts = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    except (AttributeError, ValueError, OSError):  # neither Linux nor another Unix
        return float("inf")
    limit = _text(_CGROUP_LIMIT).strip()
    if limit.isdigit():
        amounts.append(float(limit))
    return min([*amounts, *_process_limits().values()])


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


def _process_limits() -> dict[str, float]:
    """Limits of private data and of addresses, by their names in the process status."""
    import resource

    limits = {"VmData": resource.RLIMIT_DATA, "VmSize": resource.RLIMIT_AS}
    values = {name: resource.getrlimit(limit)[0] for name, limit in limits.items()}
    return {n: float(v) for n, v in values.items() if v != resource.RLIM_INFINITY}


def _bytes_to_limits() -> list[float]:
    """What the limits of the process leave."""
    limits = _process_limits()
    lines = _text("/proc/self/status").splitlines() if limits else []
    usage = {name: text.split() for name, _, text in (x.partition(":") for x in lines)}
    return [
        limit - 1024.0 * int(usage[name][0])
        for name, limit in limits.items()
        if name in usage
    ]


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
