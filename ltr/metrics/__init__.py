"""Ranking metrics on flat arrays and a ``qid`` per row. NumPy and SciPy only.

Every metric has the signature ``(y_true, y_score, *, qid=None, …, per_query=False)``
and the same conventions:

* rows may come in any order, lists interleaved; permuting rows changes nothing;
* **equal scores are averaged** (``ties="average"``): the value is the expected one over
  all orders of the tied rows, so a constant model is worth a random order and never
  looks perfect. Other rules: ``"first"``, the order of the rows; ``"worst"``, lowest
  label first; ``"trec"``, trec_eval's: descending ``docids``, compared as text
  (version 9 also rounds scores to float32 before);
* a list for which a metric is not defined (no relevant item; for correlations, fewer
  than two distinct labels) is left out of the mean, or counts as 0 or 1
  (``empty="skip"|0|1``): tools differ here, and so do their numbers;
* ``per_query=True`` gives one value per query, in order of first appearance, NaN for
  those that are left out.

A metric of your own is any function of ``(y_true, y_score, qid)`` that returns a
number, higher is better, or a kernel on ranked lists, declared with
:func:`ranking_metric`, which takes a cut-off and a rule for ties. Either can be used
wherever a name can.

:func:`evaluate_run` and :func:`compare_runs` take runs and judgments by id (TREC files,
BEIR folders, tables, dicts) with trec_eval's conventions.

Names such as ``"ndcg@10"`` are understood by :func:`get_metric`, by
:func:`evaluate`, by every ranker's ``metric=`` and by the command line.
"""

from ltr.metrics.binary import (
    average_precision_score,
    precision_score,
    recall_score,
    reciprocal_rank_score,
)
from ltr.metrics.comparison import RunComparison, compare_runs
from ltr.metrics.correlation import (
    information_coefficient_score,
    kendall_tau_score,
    pairwise_accuracy_score,
    spearman_score,
    tau_ap_score,
)
from ltr.metrics.counterfactual import CounterfactualEstimate, counterfactual_dcg
from ltr.metrics.counts import (
    f_score,
    hits_score,
    normalized_recall_score,
    r_precision_score,
    success_score,
)
from ltr.metrics.declaration import Measured, MetricInfo, ranking_metric
from ltr.metrics.graded import dcg_score, err_score, ndcg_score, rbp_score
from ltr.metrics.interpolated import interpolated_precision_score
from ltr.metrics.names import METRICS, Metric, evaluate, get_metric
from ltr.metrics.overlap import average_overlap_score, rbo_score
from ltr.metrics.pool import judged_score, n_relevant_score, n_returned_score
from ltr.metrics.pooled_ap import inferred_ap_score, set_ap_score
from ltr.metrics.preferences import auc_score, bpref_score
from ltr.metrics.ranked import RankedLists
from ltr.metrics.run_overlap import run_overlap
from ltr.metrics.runs import evaluate_run
from ltr.metrics.significance import (
    bootstrap_interval,
    effect_size,
    holm,
    paired_randomization_test,
    paired_t_test,
)

__all__ = [
    "METRICS",
    "CounterfactualEstimate",
    "Measured",
    "Metric",
    "MetricInfo",
    "RankedLists",
    "RunComparison",
    "auc_score",
    "average_overlap_score",
    "average_precision_score",
    "bootstrap_interval",
    "bpref_score",
    "compare_runs",
    "counterfactual_dcg",
    "dcg_score",
    "effect_size",
    "err_score",
    "evaluate",
    "evaluate_run",
    "f_score",
    "get_metric",
    "hits_score",
    "holm",
    "inferred_ap_score",
    "information_coefficient_score",
    "interpolated_precision_score",
    "judged_score",
    "kendall_tau_score",
    "n_relevant_score",
    "n_returned_score",
    "ndcg_score",
    "normalized_recall_score",
    "paired_randomization_test",
    "paired_t_test",
    "pairwise_accuracy_score",
    "precision_score",
    "r_precision_score",
    "ranking_metric",
    "rbo_score",
    "rbp_score",
    "recall_score",
    "reciprocal_rank_score",
    "run_overlap",
    "set_ap_score",
    "spearman_score",
    "success_score",
    "tau_ap_score",
]
