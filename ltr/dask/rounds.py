"""Tasks on all workers at once, which end when one of them is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ltr.dask.placement import Worker

_SECONDS_BETWEEN_LOOKS = 1.0
_PATIENCE_S = 3.0  # until the scheduler knows that a worker is gone
_MINUTES_TO_CONNECT = 2


class WorkerLostError(RuntimeError):
    """A worker died while it held a part of the data."""


def run_together(
    client: Any,
    workers: Sequence[Worker],
    function: Callable[..., Any],
    arguments: Sequence[Sequence[Any]],
    *,
    doing: str,
) -> list[Any]:
    """Call a function on each worker, and wait for all of them.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    workers : sequence of Worker
        The workers.
    function : callable
        What each of them runs.
    arguments : sequence of sequences
        Its arguments, for each worker.
    doing : str
        What it does, for the error message: ``"growing trees 1 to 50"``.

    Returns
    -------
    results : list

    Raises
    ------
    WorkerLostError
        If a worker is lost before all are done.
    Exception
        Of the function, from the worker where it came first.
    """
    import distributed

    wait: Any = distributed.wait
    futures = [
        client.submit(
            function, *values, workers=[worker.address], allow_other_workers=False,
            pure=False, retries=0,
        )
        for worker, values in zip(workers, arguments, strict=True)
    ]  # fmt: skip
    waiting = list(futures)
    try:
        while waiting:
            with suppress(TimeoutError):  # nobody is done within this second
                wait(
                    waiting,
                    timeout=_SECONDS_BETWEEN_LOOKS,
                    return_when="FIRST_COMPLETED",
                )
            _check_alive(client, workers, doing)
            for future in waiting:
                if future.status in ("error", "lost", "cancelled"):
                    # When a worker dies, LightGBM fails on the others: look for it.
                    _check_alive(client, workers, doing, patience_s=_PATIENCE_S)
                    future.result()
            waiting = [future for future in waiting if future.status == "pending"]
        return list(client.gather(futures))
    finally:
        client.cancel(futures)


def _check_alive(
    client: Any, workers: Sequence[Worker], doing: str, patience_s: float = 0.0
) -> None:
    """Raise if the cluster no longer has one of the workers."""
    deadline = time.monotonic() + patience_s
    while True:
        alive = client.nthreads()
        for worker in workers:
            if worker.address not in alive:
                raise WorkerLostError(
                    f"Worker {worker.name!r} at {worker.address} was lost while "
                    f"{doing}, and with it its part of the data. Its log says why: "
                    "most often for want of memory. Give workers more of it, or use "
                    "more workers, and call fit again."
                )
        if time.monotonic() >= deadline:
            return
        time.sleep(0.2)


def network_of(client: Any, workers: Sequence[Worker]) -> list[dict[str, Any]]:
    """LightGBM's parameters of the network, for each worker.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    workers : sequence of Worker
        The workers, by rank.

    Returns
    -------
    networks : list of dict
        Empty dicts if there is only one worker.

    Raises
    ------
    ValueError
        If the workers are threads of one process.
    """
    if len(workers) == 1:
        return [{}]
    if any(worker.address.startswith("inproc") for worker in workers):
        raise ValueError(
            "the workers must be processes of their own, so that LightGBM can connect "
            f"them; got {len(workers)} in one process. Start them by "
            "dask.distributed.Client(processes=True), or a single one."
        )
    hosts = [worker.address.split("://")[-1].rsplit(":", 1)[0] for worker in workers]
    ports = _free_ports(client, workers, hosts)
    machines = ",".join(
        f"{host}:{port}" for host, port in zip(hosts, ports, strict=True)
    )
    return [
        {
            "machines": machines,
            "num_machines": len(workers),
            "local_listen_port": port,
            "time_out": _MINUTES_TO_CONNECT,
            "tree_learner": "data",
            "pre_partition": True,
        }
        for port in ports
    ]


def _free_ports(
    client: Any, workers: Sequence[Worker], hosts: Sequence[str]
) -> list[int]:
    for _ in range(10):
        port_of = client.run(_free_port, workers=[worker.address for worker in workers])
        ports = [port_of[worker.address] for worker in workers]
        if len(set(zip(hosts, ports, strict=True))) == len(workers):
            return ports
    raise RuntimeError(
        "The workers of one machine offer the same port ten times. Try again."
    )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("", 0))
        return int(listener.getsockname()[1])
