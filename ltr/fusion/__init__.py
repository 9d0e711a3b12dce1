"""Fusion of runs, keyed by query and document ids. NumPy and pandas.

Every function takes runs (paths, tables, ``{qid: {docid: score}}``) and returns one, a
DataFrame with columns ``qid``, ``docid`` and ``score``, best first, which
:func:`ltr.metrics.evaluate_run` measures and :func:`ltr.datasets.write_run` writes.
Documents are matched by id, never by position.

Without judgments, start with :func:`rrf`, which depends on ranks only, so that the runs
may score on any scale. ``comb_*`` combine scores, normalized by ``norm``. With
judgments for some queries, :func:`tune_alpha` finds the weight for :func:`interpolate`,
the weighted mean of two runs. :func:`kemeny` has the fewest pairwise disagreements with
the runs, and says whether that is proven. :func:`pool_union` collects what a judge
shall read, :func:`check_alignment` finds runs whose ids mean something else. Within one
list, :func:`interleave_classes` and :func:`multi_criteria` make an order. For votes
on numbered items see :mod:`ltr.solvers`.
"""

from collections.abc import Callable
from typing import Any

from ltr.fusion.alignment import check_alignment
from ltr.fusion.by_rank import (
    borda,
    condorcet,
    kemeny,
    log_isr,
    pool_union,
    round_robin,
    rrf,
)
from ltr.fusion.by_score import (
    comb_anz,
    comb_max,
    comb_mnz,
    comb_sum,
    interpolate,
    tune_alpha,
)
from ltr.fusion.criteria import interleave_classes, multi_criteria

FUSIONS: dict[str, Callable[..., Any]] = {
    "rrf": rrf,
    "comb_sum": comb_sum,
    "comb_mnz": comb_mnz,
    "comb_anz": comb_anz,
    "comb_max": comb_max,
    "interpolate": interpolate,
    "borda": borda,
    "condorcet": condorcet,
    "log_isr": log_isr,
    "round_robin": round_robin,
    "kemeny": kemeny,
}

__all__ = [
    "FUSIONS",
    "borda",
    "check_alignment",
    "comb_anz",
    "comb_max",
    "comb_mnz",
    "comb_sum",
    "condorcet",
    "interleave_classes",
    "interpolate",
    "kemeny",
    "log_isr",
    "multi_criteria",
    "pool_union",
    "round_robin",
    "rrf",
    "tune_alpha",
]
