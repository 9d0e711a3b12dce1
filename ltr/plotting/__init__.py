"""Figures of rankings, as scikit-learn's Displays: data first, ``plot`` on demand.

Each class keeps the numbers that it draws as attributes. It is made from metrics query
by query, from labels and scores, from fitted rankers, or from a comparison; rankers are
a mapping from names. ``plot(ax=None)`` needs matplotlib (``pip install 'ltr[plot]'``)
and sets ``ax_`` and ``figure_``.

=====================================  =================================================
:class:`QueryDifferencesDisplay`       a metric of one ranking minus another, query by
                                       query
:class:`MetricAtKDisplay`              a metric at increasing cut-offs, with bands
:class:`SeedReliabilityDisplay`        the spread over seeds and over queries
:class:`ListLengthDisplay`             a metric by the length of the lists
:class:`LearningCurveDisplay`          metrics and loss by epoch or tree
:class:`PermutationImportanceDisplay`  what a metric loses without a feature
:class:`PartialDependenceDisplay`      ranks and scores as functions of a feature
:class:`ContributionsDisplay`          a score as a sum over features
:class:`PairExplanationDisplay`        why one item ranks above another
=====================================  =================================================

The last four draw what :mod:`ltr.inspection` returns.

The colors are distinguishable for color-blind readers; lines are labeled at their ends.
"""

from ltr.plotting._drawing import COLORS, REFERENCE_COLOR, check_matplotlib
from ltr.plotting.cutoffs import MetricAtKDisplay
from ltr.plotting.differences import QueryDifferencesDisplay
from ltr.plotting.explanations import (
    ContributionsDisplay,
    PairExplanationDisplay,
    PartialDependenceDisplay,
    PermutationImportanceDisplay,
)
from ltr.plotting.learning import LearningCurveDisplay
from ltr.plotting.list_lengths import ListLengthDisplay
from ltr.plotting.seeds import SeedReliabilityDisplay

__all__ = [
    "COLORS",
    "REFERENCE_COLOR",
    "ContributionsDisplay",
    "LearningCurveDisplay",
    "ListLengthDisplay",
    "MetricAtKDisplay",
    "PairExplanationDisplay",
    "PartialDependenceDisplay",
    "PermutationImportanceDisplay",
    "QueryDifferencesDisplay",
    "SeedReliabilityDisplay",
    "check_matplotlib",
]
