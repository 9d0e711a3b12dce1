"""Explaining rankers: features that matter, what they do, and why a is above b.

==============================  ========================================================
:func:`permutation_importance`  what a metric of whole lists loses without a feature
:func:`partial_dependence`      score and rank of items as functions of a feature
:func:`contributions`           a score as a sum over features
:func:`explain_pair`            the difference of two scores, in words, too
==============================  ========================================================

Each returns numbers; :mod:`ltr.plotting` has a Display of each.
"""

from ltr.inspection.contributions import Contributions, contributions
from ltr.inspection.dependence import PartialDependence, partial_dependence
from ltr.inspection.importance import PermutationImportance, permutation_importance
from ltr.inspection.pairs import PairExplanation, explain_pair

__all__ = [
    "Contributions",
    "PairExplanation",
    "PartialDependence",
    "PermutationImportance",
    "contributions",
    "explain_pair",
    "partial_dependence",
    "permutation_importance",
]
