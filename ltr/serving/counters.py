"""Counts and times of a server, in the text format of Prometheus."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Mapping

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counters:
    """What a server has done.

    Examples
    --------
    >>> counters = Counters()
    >>> counters.count(200, 0.002, n_lists=1, n_items=100)
    >>> counters.text({})[:1]
    ['# HELP ltr_requests_total Requests for scores by status.']
    """

    def __init__(self) -> None:
        self._requests: Counter[int] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._seconds, self._n_lists, self._n_items = 0.0, 0, 0

    def count(
        self, status: int, seconds: float, n_lists: int = 0, n_items: int = 0
    ) -> None:
        """Count a request.

        Parameters
        ----------
        status : int
            Of HTTP.
        seconds : float
            From its first byte to its answer.
        n_lists, n_items : int, default=0
            What was scored.
        """
        self._requests[status] += 1
        self._buckets[bisect.bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds
        self._n_lists += n_lists
        self._n_items += n_items

    def text(self, metrics: Mapping[str, tuple[str, str, float]]) -> list[str]:
        """Lines of the text format.

        Parameters
        ----------
        metrics : mapping of str to (str, str, float)
            Name → type, help and value of further counters and gauges.

        Returns
        -------
        lines : list of str
        """
        lines = [
            "# HELP ltr_requests_total Requests for scores by status.",
            "# TYPE ltr_requests_total counter",
        ]
        for status, n_requests in sorted(self._requests.items()):
            lines.append(f'ltr_requests_total{{status="{status}"}} {n_requests}')
        lines += [
            "# HELP ltr_request_seconds Time from a request to its answer.",
            "# TYPE ltr_request_seconds histogram",
        ]
        total = 0
        for bound, n_requests in zip(
            (*map(str, _BOUNDS), "+Inf"), self._buckets, strict=True
        ):
            total += n_requests
            lines.append(f'ltr_request_seconds_bucket{{le="{bound}"}} {total}')
        lines.append(f"ltr_request_seconds_sum {self._seconds:.6f}")
        lines.append(f"ltr_request_seconds_count {total}")
        counts = {
            "ltr_lists_total": ("counter", "Lists scored.", float(self._n_lists)),
            "ltr_items_total": ("counter", "Items scored.", float(self._n_items)),
        }
        for name, (kind, text, value) in {**counts, **metrics}.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            lines.append(f"{name} {value:.10g}")
        return lines
