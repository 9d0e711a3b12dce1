"""Ranking data: loaders and generators.

``load_*`` read files, ``make_*`` draw synthetic data with a seed. They return a
:class:`RankingData`, for stocks a :class:`StockData`; events come as a DataFrame. This
package imports nothing else of ``ltr``.
"""

if __name__ != "ltr.datasets":
    raise ImportError(
        f"this folder is the package 'ltr.datasets'; it was imported as {__name__!r} "
        "because the repository root is on sys.path. Use 'import ltr.datasets'."
    )

from ltr.datasets._events import drop_near_duplicates, load_events, read_events
from ltr.datasets._letor import load_letor, save_letor
from ltr.datasets._synthetic import make_ranking
from ltr.datasets._types import RankingData

__all__ = [
    "RankingData",
    "drop_near_duplicates",
    "load_events",
    "load_letor",
    "make_ranking",
    "read_events",
    "save_letor",
]
