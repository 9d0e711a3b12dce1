"""Pictures of rankings, as scikit-learn's Displays: data first, ``plot`` when wanted.

Each class keeps the numbers that it draws as attributes, and is made from values list
by list, from labels and scores, from fitted rankers, or from a comparison. Rankers come
as a mapping of names to what they gave. ``plot(ax=None)`` needs matplotlib
(``pip install 'ltr[plot]'``) and sets ``ax_`` and ``figure_``.

==============================  =====================================================
:class:`QueryDifferencesDisplay`  which lists one ranking wins and loses against another
:class:`MetricAtKDisplay`         a metric at growing cut-offs, with bands over lists
:class:`SeedReliabilityDisplay`   the spread of seeds against the spread of lists
:class:`ListLengthDisplay`        a metric by the length of the lists
==============================  =====================================================

Colours are told apart by colour-blind readers; lines are labelled where they end.
"""

from ltr.plotting._drawing import COLORS, REFERENCE_COLOR, check_matplotlib
from ltr.plotting.cutoffs import MetricAtKDisplay
from ltr.plotting.differences import QueryDifferencesDisplay
from ltr.plotting.list_lengths import ListLengthDisplay
from ltr.plotting.seeds import SeedReliabilityDisplay

__all__ = [
    "COLORS",
    "REFERENCE_COLOR",
    "ListLengthDisplay",
    "MetricAtKDisplay",
    "QueryDifferencesDisplay",
    "SeedReliabilityDisplay",
    "check_matplotlib",
]
