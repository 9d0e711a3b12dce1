"""Ranking data: loaders and generators.

``load_*`` read files, ``make_*`` draw synthetic data with a seed. All return a
:class:`RankingData`. This package imports nothing else of ``ltr``.
"""

if __name__ != "ltr.datasets":
    raise ImportError(
        f"this folder is the package 'ltr.datasets'; it was imported as {__name__!r} "
        "because the repository root is on sys.path. Use 'import ltr.datasets'."
    )

from ltr.datasets._letor import load_letor
from ltr.datasets._synthetic import make_ranking
from ltr.datasets._types import RankingData

__all__ = ["RankingData", "load_letor", "make_ranking"]
