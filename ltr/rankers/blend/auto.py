"""AutoRanker: a blend of linear models, trees and a network, by just fitting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _num_samples

from ltr.arguments import check_flag, check_limit, check_seed, check_verbose
from ltr.metrics import get_metric
from ltr.metrics.labels import check_metric_takes_labels, fitting_metric
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, check_rows, group_queries
from ltr.rankers.blend.auto_members import check_members, make_members
from ltr.rankers.blend.contest import Contest, Rows
from ltr.rankers.blend.leaderboard import leaderboard_frame
from ltr.rankers.blend.members import BlendRanker
from ltr.rankers.blend.normalization import mean_score
from ltr.rankers.features import as_pandas
from ltr.rankers.validation import check_metric_is_defined
from ltr.row_values import check_column, check_weights

if TYPE_CHECKING:
    import pandas as pd


class AutoRanker(BlendRanker):
    """The mean of a few different rankers, for the best result by just fitting.

    A linear model on z-scores within the list, regression trees, LambdaMART and, where
    held-out queries say that it helps, a RankNet network are fitted on the same rows.
    ``predict`` averages their scores, each normalized to z-scores within the list, with
    equal weights unless held-out queries are strong evidence for others.
    Nothing has to be tuned, and nothing prepared: missing values, categories of a
    DataFrame, sparse matrices, and labels of any kind are taken as they are.

    Parameters
    ----------
    time_limit_s : float, default=None
        Wall-clock seconds that ``fit`` may take. Members are fitted in their order,
        each within its share of the time that is left; trees and networks stop early.
        None: no limit, and the same result on any machine.
    metric : str or callable, default="ndcg@10"
        Metric for :func:`ltr.metrics.get_metric`: of the leaderboard and of ``score``.
        If it cannot score the labels (NDCG and negative labels, say), ``metric_`` is
        one that can: the same with a linear gain, or ``"spearman"``.
    members : "auto", sequence of str, or list of (str, estimator), default="auto"
        Names from ``"linear"``, ``"trees"``, ``"lambdamart"`` and ``"ranknet"``, or
        rankers of your own by name, whose ``metric`` is set to ``metric_``. ``"auto"``:
        the first three, and the fourth if there are at least 50 queries and the blend
        is better with it on held-out ones.
    refit : bool, default=True
        A fifth of the queries is held out to compare the members. True: after that,
        they are fitted again on all queries; but for the network, which takes as long
        as the others together.
    n_jobs : int, default=None
        Threads of the trees. None: one for small data, else all cores.
    random_state : int, RandomState or None, default=None
        Seed of the members and of the held-out queries.
    verbose : int, default=0
        1: a line per member, with the time that is left, on standard error.

    Attributes
    ----------
    leaderboard_ : DataFrame
        Members and blend, best first: ``score`` (mean of ``metric_`` on held-out
        queries) with its 95 % bootstrap interval over queries ``low`` and ``high``
        (those of a blend with other than equal weights are of the queries that these
        are from, and a little too high),
        ``seconds`` of all its fits, and ``status``: which queries it was fitted on, or
        why it was left out. ``print`` shows all columns; the numbers are not rounded.
    left_out_ : dict of str to str
        Members that are not in the blend, with the reason.
    metric_ : str or callable
        The metric that fits the labels.
    rankers_ : list of estimator
        The fitted members.
    weights_ : float array of shape (n_members,)
        Weight of each member, with the sum 1.
    named_rankers_ : Bunch
        The same by name.
    feature_importances_ : float array of shape (n_features,)
        Weighted mean of the importances of the trees, with the sum 1.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``X`` had string ones.

    See Also
    --------
    VotingRanker : The mean of rankers of your own.

    Notes
    -----
    The trees have 400 rounds at rate 0.05, 15 leaves of at least 50 rows (a fiftieth
    of the rows, if there are fewer than 2500), and draw .7 of the features and .8 of
    the rows: settings that are known to be good across public ranking data, the same as
    those of :func:`ltr.compare.make_ranker`. The network has hidden layers of 32 and 16
    units, stops early after 10 epochs and 200 steps without improvement, and otherwise
    has the defaults that :class:`NeuralRanker` had in version 0.1.

    Fitted on eight public data sets without any tuning (LETOR's OHSUMED and MQ2008,
    ClueWeb09, a sample of MSLR-WEB10K, races of Formula 1, LightGBM's example,
    generated data, and MQ2007's rank aggregation), the mean of ridge, trees and
    LambdaMART, with equal weights, had an NDCG@10 that was .023 [.015, .032] higher
    than that of LightGBM's LGBMRanker as it comes, on eight of eight sets, and .018
    [.012, .024] higher than with the settings above, on seven of eight (paired 95 %
    intervals over queries). The three were chosen on three of the sets; on the other
    five the gains were .013 [.007, .019] and .010 [.004, .015]. A network of 128 and 64
    units added .004 [.001, .007] on six of the sets. Weights by held-out scores gained
    nothing over equal ones, and the single best member lost .005. So weights are
    shrunken to equal ones by what chance explains of their distance: they stay near
    them on these sets, and leave them where a member is far better, as the network is
    on generated data. ``examples/benchmark_auto.py`` repeats what it can.

    A member that raises is left out with a warning; if all do, the first error is
    raised.

    The time limit is planned for with a twentieth to spare. A fit that has begun ends
    after a tree or an epoch at the earliest, and the linear model, or a ranker of your
    own, when it is done: by these the limit may be exceeded, as by the first member,
    which is always fitted. The network is only begun if the time is enough to compile
    it. A member that there is no time to fit again on all queries stays as it was
    fitted without the held-out ones.

    Examples
    --------
    >>> from ltr import AutoRanker
    >>> from ltr.datasets import make_ranking
    >>> train, test = make_ranking(60, random_state=0).train_test_split(random_state=0)
    >>> ranker = AutoRanker(members=["linear", "trees"], random_state=0)
    >>> ranker.fit(train.X, train.y, train.qid).score(test.X, test.y, test.qid) > 0.7
    True
    >>> sorted(ranker.leaderboard_.index)
    ['blend', 'linear', 'trees']
    """

    _rows: list[dict[str, Any]]  # of the leaderboard
    _weights: list[float] | None = None  # equal ones: saved before there were others

    def __init__(
        self,
        time_limit_s: float | None = None,
        metric: MetricLike = "ndcg@10",
        members: Literal["auto"] | Sequence[str] | Sequence[tuple[str, Any]] = "auto",
        refit: bool = True,
        *,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.time_limit_s = time_limit_s
        self.metric = metric
        self.members = members
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        qid: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        query_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        qid_val: ArrayLike | None = None,
    ) -> AutoRanker:
        """Fit the members, compare them on held-out queries, and fit them again.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; NaN is a missing value, and columns of a DataFrame with category
            dtype are categories.
        y : array-like of shape (n_samples,)
            Labels, any real numbers, higher is better.
        qid : array-like of shape (n_samples,), default=None
            Query of each row: any hashable ids, in any order. None: one query.
        sample_weight : array-like of shape (n_samples,), default=None
            Row weights ≥ 0.
        query_weight : array-like of shape (n_samples,), default=None
            Weight of each row's query, constant within a query; also in the metrics of
            queries that are held out.
        X_val, y_val, qid_val : array-like, default=None
            Queries to compare the members on, in place of held-out ones.

        Returns
        -------
        self : AutoRanker

        Raises
        ------
        ValueError
            If a parameter or an input is invalid; the message says what came and where.

        Warns
        -----
        UserWarning
            If a member fails, and what the members warn of.
        """
        self._check_parameters()
        contest = Contest(self.time_limit_s, verbose=int(self.verbose))
        weights = {"sample_weight": sample_weight, "query_weight": query_weight}
        check_rows({"X": X, "y": y, "qid": qid, **weights})
        data = _rows(X, y, qid, weights)
        labels = check_column(y, "y", _num_samples(data.X), entry="label")
        if len(labels) == 0:
            raise ValueError("X must have at least one row to fit; got none.")
        self.metric_ = self.metric_for(labels)
        validation = self._validation(X_val, y_val, qid_val, qid)
        contest.set_data(data, validation, self.metric_, self.random_state)
        members = make_members(
            self.members,
            n_rows=_num_samples(data.X),
            n_values=math.prod(np.shape(data.X)),
            metric=self.metric_,
            random_state=contest.seed,
            n_jobs=self.n_jobs,
        )
        result = contest.run(members, refit=bool(self.refit))
        self._names = [member.name for member in result.members]
        self.rankers_ = [member.ranker for member in result.members]
        self._weights = result.weights
        self._rows, self.left_out_ = result.rows, result.left_out
        self.__dict__.pop("_zero_based", None)  # of the files of an earlier fit
        self._fitted_with_qid = qid is not None
        return self

    def predict(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Weighted mean of the members' z-scores within the list; comparable within a
            list.

        Raises
        ------
        ValueError
            If ``X`` does not fit the columns of ``fit``.
        """
        return mean_score(self.predict_members(X, qid), self._weights)

    def metric_for(self, y: ArrayLike) -> MetricLike:
        """The metric that ``fit`` chooses for labels, see ``metric``.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        metric : str or callable

        Examples
        --------
        >>> AutoRanker().metric_for([0.01, -0.02])
        'spearman'
        """
        get_metric(self.metric)
        labels = check_column(y, "y", _num_samples(y), entry="label")
        return fitting_metric(self.metric, labels)

    @property
    def weights_(self) -> FloatArray:
        """Weight of each member in the mean, shape (n_members,), with the sum 1."""
        self._raise_unless_fitted("weights_")
        weights = np.ones(len(self.rankers_))
        if self._weights is not None:
            weights = np.array(self._weights)
        return weights / weights.sum()

    @property
    def feature_importances_(self) -> FloatArray:
        """Weighted mean of the members' importances, shape (n_features,)."""
        self._raise_unless_fitted("feature_importances_")
        return self._shared_importances(self.weights_)

    @property
    def leaderboard_(self) -> pd.DataFrame:
        """Members and blend, best first."""
        self._raise_unless_fitted("leaderboard_")
        import pandas as pd

        table = pd.DataFrame(self._rows).set_index("member")
        return leaderboard_frame(
            table.sort_values("score", ascending=False, kind="stable")
        )

    def _metric_of(self, labels: FloatArray) -> MetricLike:
        check_metric_takes_labels(self.metric_, labels)
        return self.metric_

    def _validation(
        self, X_val: Any, y_val: Any, qid_val: Any, qid: Any
    ) -> Rows | None:
        """Validation queries that were passed; an error if a part is missing."""
        if X_val is None and y_val is None and qid_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError(
                "X_val and y_val must be given together; got only one of them."
            )
        if qid_val is None and qid is not None:
            raise ValueError(
                "qid_val is required because fit was given a qid. Pass the query of "
                "each row of X_val."
            )
        check_rows({"X_val": X_val, "y_val": y_val, "qid_val": qid_val})
        rows = _rows(X_val, y_val, qid_val, {})
        check_metric_is_defined(
            get_metric(self.metric_),
            check_column(y_val, "y_val", _num_samples(rows.X), entry="label"),
            group_queries(qid_val, _num_samples(rows.X), "X_val"),
        )
        return rows

    def _check_parameters(self) -> None:
        check_limit("time_limit_s", self.time_limit_s)
        get_metric(self.metric)
        check_members(self.members)
        check_flag("refit", self.refit)
        check_seed("random_state", self.random_state)
        check_verbose(self.verbose)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        for name in ("sparse", "allow_nan", "categorical"):
            setattr(tags.input_tags, name, True)
        return tags


def _rows(X: Any, y: Any, qid: ArrayLike | None, weights: dict[str, Any]) -> Rows:
    """Rows that can be indexed, with whole numbers as ``qid``."""
    if y is None:
        raise ValueError("fit requires y to be passed, but the target y is None.")
    table = as_pandas(X)
    table = table if hasattr(table, "shape") else np.asarray(table)
    if hasattr(table, "tocsr"):
        table = table.tocsr()  # the other formats have no rows to take
    n_rows = _num_samples(table)
    labels = y if hasattr(y, "iloc") else np.asarray(y)
    by_row: dict[str, Any] = {}
    for name, values in weights.items():
        if values is None:
            continue
        numbers = check_weights(values, name, n_rows)
        column = values if hasattr(values, "iloc") else np.asarray(values)
        column = numbers if column.ndim == 0 else column
        by_row[name] = column
    codes = None if qid is None else group_queries(qid, n_rows).codes
    return Rows(table, labels, codes, by_row)
