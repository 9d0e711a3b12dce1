"""Query-aware splitters, scorers and scalers for scikit-learn's tools.

**What goes wrong without them.** ``GridSearchCV(ranker, grid, cv=5)`` silently splits
the rows of a query, and ``scoring="r2"`` or a plain ``make_scorer`` scores a fold as if
it were one query. What works is metadata routing, so that ``qid`` reaches splitting,
fitting *and* scoring, and splitting by query::

    import sklearn
    from sklearn.model_selection import GridSearchCV

    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(ranker, grid, cv=QueryKFold(5),
                              scoring=make_ranking_scorer("ndcg@10"))
        search.fit(X, y, qid=qid)

The classes here and the rankers *request* ``qid``, so no ``set_fit_request`` is needed.
:func:`cross_validate_ranker` does all of it in one call, with the ranker's own metric;
:func:`cross_val_predict_ranker` gives the out-of-fold scores.
``RFECV`` without ``scoring`` falls back to r2 inside scikit-learn: always pass a
:func:`make_ranking_scorer`.

**Which splitter?** For independent queries :class:`QueryKFold`, or
:class:`QueryShuffleSplit` for large data. For queries in time (days, auctions,
releases) :class:`WalkForwardSplit`, which never trains on data later than a test.
"""

from ltr.model_selection.predictions import cross_val_predict_ranker
from ltr.model_selection.scalers import QueryMinMaxScaler, QueryStandardScaler
from ltr.model_selection.scoring import (
    RankingScorer,
    cross_validate_ranker,
    make_ranking_scorer,
)
from ltr.model_selection.splitters import QueryKFold, QueryShuffleSplit
from ltr.model_selection.walk_forward import WalkForwardSplit

__all__ = [
    "QueryKFold",
    "QueryMinMaxScaler",
    "QueryShuffleSplit",
    "QueryStandardScaler",
    "RankingScorer",
    "WalkForwardSplit",
    "cross_val_predict_ranker",
    "cross_validate_ranker",
    "make_ranking_scorer",
]
