"""How AutoRanker spends its time: the members it fits, on which rows, how long."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state

from ltr.deadline import deadline_in
from ltr.metrics import get_metric
from ltr.metrics.averages import mean_of
from ltr.metrics.names import MetricLike
from ltr.metrics.significance import bootstrap_interval
from ltr.progress import ProgressLine
from ltr.queries import FloatArray, Queries, group_queries
from ltr.rankers.blend.auto_members import (
    RANKNET_QUERIES,
    RANKNET_START_S,
    Member,
)
from ltr.rankers.blend.members import arguments_of_members, fit_member, scores_of
from ltr.rankers.blend.normalization import mean_score, normalize_scores
from ltr.rankers.blend.weighting import evident_weights
from ltr.rankers.trees.lambdamart import LambdaMARTRanker
from ltr.rankers.warning import warn
from ltr.row_values import weights_of_queries

_FEWEST_QUERIES = 10  # fewer: none is held out
_HELD_OUT, _MOST_HELD_OUT = 0.2, 1000
_SPARE = 0.95  # of the time limit: the last tree may end later
# LambdaMART takes this many times as long as regression trees of the same size.
_LAMBDAMART_COST = 2.5
# Z-scores of fewer trees weigh as much as those of all: a blend with one is worse.
_FEWEST_ROUNDS = 10


class Rows(NamedTuple):
    """Rows to fit on or to compare on.

    Attributes
    ----------
    X : array, sparse matrix or DataFrame
        Features.
    y : array of shape (n_samples,)
        Labels.
    qid : array of shape (n_samples,) or None
        Query of each row.
    weights : dict of str to array
        ``sample_weight`` and ``query_weight``, where there are any.
    """

    X: Any
    y: Any
    qid: Any
    weights: dict[str, Any]

    def take(self, index: Any) -> Rows:
        """Some of the rows."""
        return Rows(
            _safe_indexing(self.X, index),
            _safe_indexing(self.y, index),
            None if self.qid is None else self.qid[index],
            {name: _safe_indexing(w, index) for name, w in self.weights.items()},
        )


@dataclass
class Result:
    """What came out.

    Attributes
    ----------
    members : list of Member
        Fitted.
    rows : list of dict
        Of the leaderboard.
    left_out : dict of str to str
        Members that are not in the blend, with the reason.
    weights : list of float
        Weights of the members, with the mean 1.
    """

    members: list[Member] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    weights: list[float] = field(default_factory=list)


class Contest:
    """Fit members, compare them on held-out queries, fit them again on all.

    Parameters
    ----------
    time_limit_s : float or None
        Wall-clock time from now on. None: no limit.
    verbose : int
        Above 0: a line per fit.

    Notes
    -----
    With a time limit, members are fitted in their order. Each has its share of the time
    that is left then, by the relative cost of trees and LambdaMART; what it does not
    need is left to the others. Optional members get what fitting the others again does
    not need. Nothing is predicted but the second fit of a member, from its first.
    """

    def __init__(self, time_limit_s: float | None, *, verbose: int) -> None:
        self._started, self._cpu_started = time.monotonic(), time.process_time()
        self._limit = math.inf if time_limit_s is None else float(time_limit_s)
        self._progress = ProgressLine(0.0) if verbose > 0 else None
        self._seconds: dict[str, float] = {}
        self._cut: set[str] = set()  # members whose fit the time limit ended
        self._messages: dict[str, type[Warning]] = {}
        self.seed = 0

    def set_data(
        self,
        data: Rows,
        validation: Rows | None,
        metric: MetricLike,
        random_state: Any,
    ) -> None:
        """Take the rows, and draw the queries to hold out.

        Parameters
        ----------
        data : Rows
            All rows.
        validation : Rows or None
            Rows to compare the members on. None: of queries that are held out.
        metric : str
            Metric to compare by.
        random_state : int, RandomState or None
            Seed.
        """
        self._data, self._metric = data, get_metric(metric)
        self._train, self._valid = data, validation
        if not isinstance(random_state, (int, np.integer)):
            random_state = check_random_state(random_state).randint(2**31 - 1)
        self.seed = int(random_state)
        self._n_queries = len(np.unique(data.qid)) if data.qid is not None else 1
        if validation is not None or self._n_queries < _FEWEST_QUERIES:
            return
        queries = group_queries(data.qid, len(data.qid))
        n_held_out = min(round(_HELD_OUT * queries.n_lists), _MOST_HELD_OUT)
        lists = np.random.default_rng(self.seed).permutation(queries.n_lists)
        self._train = data.take(queries.subset(lists[n_held_out:]))
        self._valid = data.take(queries.subset(lists[:n_held_out]))

    def run(self, members: Sequence[Member], *, refit: bool) -> Result:
        """Fit the members.

        Parameters
        ----------
        members : sequence of Member
            Not fitted.
        refit : bool
            Whether to fit them again on all rows after the comparison.

        Returns
        -------
        result : Result

        Raises
        ------
        Exception
            Of the first member, if all of them fail.
        """
        refit = refit and self._train is not self._data
        result, errors = Result(), {}
        scores: dict[str, FloatArray] = {}
        reserve = 0.0  # for the fits on all rows of the members so far
        for i, member in enumerate(members):
            share = self._share(member, members[i + 1 :], reserve)
            reason = self._reason_to_skip(member, share)
            if reason:
                result.left_out[member.name] = reason
                continue
            try:
                fitted = self._fit(member, self._train, share)
                if self._valid is not None:
                    scores[member.name] = self._validate(fitted)
            except Exception as error:  # noqa: BLE001 - it costs that member only
                errors[member.name] = error
                result.left_out[member.name] = f"{type(error).__name__}: {error}"
                continue
            rounds = fitted.ranker.n_iter_ if member.name in self._cut else math.inf
            if rounds < _FEWEST_ROUNDS and result.members:
                plural = "" if rounds == 1 else "s"
                result.left_out[member.name] = (
                    f"time for {rounds} round{plural} only within "
                    f"time_limit_s={self._limit:g}"
                )
                continue
            result.members.append(fitted)
            if refit and not member.is_optional:
                reserve += self._seconds[member.name] / (1.0 - _HELD_OUT)
            self._report(fitted, scores.get(member.name), reserve)
        if not result.members:
            raise next(iter(errors.values()))
        for name in errors:
            warn(
                f"Member {name!r} failed and is left out of the blend: "
                f"{result.left_out[name]}"
            )
        self._drop_optional(result, scores)
        self._weight(result, scores)
        statuses = {m.name: self._status(m, refit=False) for m in result.members}
        if refit:
            statuses |= self._refit(result)
        self._fill(result, scores, statuses)
        for message, category in self._messages.items():
            warn(message, category)
        return result

    def _left(self) -> float:
        """Seconds left."""
        return _SPARE * self._limit - (time.monotonic() - self._started)

    def _share(self, member: Member, later: Sequence[Member], reserve: float) -> float:
        """Seconds that a member's first fit may take."""
        if member.is_optional:
            return self._left() - reserve
        own = _relative_cost(member)
        others = sum(_relative_cost(m) for m in later if not m.is_optional)
        return self._left() * own / (own + others)

    def _reason_to_skip(self, member: Member, share: float) -> str:
        """Why a member is not fitted; "" if it is."""
        if member.is_optional and self._n_queries < RANKNET_QUERIES:
            return (
                f"{self._n_queries} queries are too few for a network "
                f"(at least {RANKNET_QUERIES})"
            )
        no_time = f"no time within time_limit_s={self._limit:g}"
        if member.is_optional and (
            self._valid is None or share < 1.5 * RANKNET_START_S * self._slowness()
        ):
            return no_time
        return no_time if share <= 0 and self._seconds else ""

    def _slowness(self) -> float:
        """Wall-clock seconds per second of a processor so far, at least 1."""
        wall = time.monotonic() - self._started
        return max(1.0, wall / max(time.process_time() - self._cpu_started, 1e-3))

    def _fit(self, member: Member, rows: Rows, seconds: float) -> Member:
        """The member after fit; its warnings are collected, and its time counted."""
        started = time.monotonic()
        inputs = {"qid": rows.qid, **rows.weights}
        arguments = arguments_of_members([(member.name, member.ranker)], inputs)
        with warnings.catch_warnings(record=True) as caught, deadline_in(seconds):
            warnings.simplefilter("always")
            fitted = fit_member(
                member.name,
                clone(member.ranker),
                rows.X,
                rows.y,
                arguments[member.name],
            )
        if not member.is_optional:
            self._messages |= {str(w.message): w.category for w in caught}
        passed = time.monotonic() - started
        self._seconds[member.name] = self._seconds.get(member.name, 0.0) + passed
        if passed >= seconds and hasattr(fitted, "n_iter_"):
            self._cut.add(member.name)
        return replace(member, ranker=fitted)

    def _validate(self, member: Member) -> FloatArray:
        """Normalized scores of the validation rows."""
        assert self._valid is not None
        rows = self._valid
        scores = scores_of(member.name, member.ranker, rows.X, rows.qid)
        return normalize_scores(scores, self._lists(scores), "zscore")

    def _lists(self, scores: FloatArray) -> Queries:
        assert self._valid is not None
        return group_queries(self._valid.qid, len(scores))

    def _per_query(self, scores: FloatArray) -> FloatArray:
        """Metric of each validation query; NaN where it is undefined."""
        assert self._valid is not None
        return np.asarray(
            self._metric.per_query(self._valid.y, scores, self._lists(scores))
        )

    def _query_weights(self) -> FloatArray | None:
        """Weights of the validation queries; None if there are none above 0."""
        assert self._valid is not None
        by_row = self._valid.weights.get("query_weight")
        if by_row is None or not np.any(by_row):
            return None
        queries = group_queries(self._valid.qid, len(self._valid.y))
        return weights_of_queries(by_row, queries)

    def _mean(self, values: FloatArray) -> float:
        """Mean over the validation queries, weighted as in ``fit``."""
        return mean_of(values, weights=self._query_weights() if len(values) else None)

    def _drop_optional(self, result: Result, scores: Mapping[str, FloatArray]) -> None:
        """Leave out optional members without which the blend is as good."""
        for member in [m for m in result.members if m.is_optional]:
            others = [m.name for m in result.members if m is not member]
            if not others:
                continue
            without = mean_score(np.column_stack([scores[name] for name in others]))
            all_names = [*others, member.name]
            together = mean_score(np.column_stack([scores[n] for n in all_names]))
            old, new = (self._mean(self._per_query(s)) for s in (without, together))
            if not new > old:
                result.members.remove(member)
                result.left_out[member.name] = (
                    f"the blend has {self._metric.name} {new:.4f} with it and "
                    f"{old:.4f} without it on held-out queries"
                )

    def _weight(self, result: Result, scores: Mapping[str, FloatArray]) -> None:
        """Equal weights, but for what the validation queries prove."""
        result.weights = [1.0] * len(result.members)
        if self._valid is None:
            return
        columns = np.column_stack([scores[member.name] for member in result.members])
        labels = np.asarray(self._valid.y, dtype=np.float64)
        weights = evident_weights(
            columns, labels, self._lists(columns), self._query_weights()
        )
        result.weights = weights.tolist()

    def _refit(self, result: Result) -> dict[str, str]:
        """Fit the members again on all rows, if there is time; what each has seen."""
        statuses = {}
        costs = {m.name: self._seconds[m.name] for m in result.members}
        order = sorted(range(len(costs)), key=lambda i: costs[result.members[i].name])
        for i in order:
            member = result.members[i]
            expected, left = costs[member.name] / (1.0 - _HELD_OUT), self._left()
            statuses[member.name] = self._status(member, refit=False)
            if member.is_optional or member.name in self._cut or expected > left:
                continue
            try:
                fitted = self._fit(member, self._data, left)
            except Exception as error:  # noqa: BLE001 - the first fit remains
                warn(
                    f"Member {member.name!r} failed on all queries, and stays as it "
                    f"was fitted without the held-out ones: "
                    f"{type(error).__name__}: {error}"
                )
                continue
            if member.name in self._cut:  # it took longer than the first time
                self._cut.remove(member.name)
                continue
            result.members[i] = fitted
            statuses[member.name] = self._status(member, refit=True)
            if self._progress is not None:
                self._write(f"{member.name}: fitted on all queries", 0.0)
        return statuses

    def _status(self, member: Member, *, refit: bool) -> str:
        """Which queries a member was fitted on, and whether the limit cut it short."""
        is_all = refit or self._train is self._data
        text = "fitted on all queries" if is_all else "fitted without held-out queries"
        if member.name not in self._cut:
            return text
        return f"{text}, cut short after {member.ranker.n_iter_} rounds"

    def _fill(
        self,
        result: Result,
        scores: Mapping[str, FloatArray],
        statuses: Mapping[str, str],
    ) -> None:
        """Rows of the leaderboard."""
        names = [member.name for member in result.members]
        columns = {name: scores[name] for name in scores}
        if names and all(name in scores for name in names):
            table = np.column_stack([scores[name] for name in names])
            columns = {"blend": mean_score(table, result.weights), **columns}
        statuses = {"blend": _mean_text(names, result.weights), **statuses}
        statuses = {
            **statuses,
            **{n: f"left out: {r}" for n, r in result.left_out.items()},
        }
        for name, status in statuses.items():
            values = self._per_query(columns[name]) if name in columns else np.zeros(0)
            weights = self._query_weights() if len(values) else None
            low, high = bootstrap_interval(values, query_weight=weights)
            seconds = self._seconds.get(name, 0.0)
            if name == "blend":
                seconds = time.monotonic() - self._started
            result.rows.append(
                {
                    "member": name,
                    "score": self._mean(values),
                    "low": low,
                    "high": high,
                    "seconds": seconds,
                    "status": status,
                }
            )

    def _report(
        self,
        member: Member,
        scores: FloatArray | None,
        reserve: float,
    ) -> None:
        """Write a line of progress."""
        if self._progress is None:
            return
        text = f"{member.name}: {self._seconds[member.name]:.1f} s"
        if scores is not None:
            values = self._per_query(scores)
            text += f", {self._metric.name} {self._mean(values):.4f}"
            text += f" on {len(values)} held-out queries"
        self._write(text, reserve)

    def _write(self, text: str, reserve: float) -> None:
        assert self._progress is not None
        passed = time.monotonic() - self._started
        if self._limit < math.inf:
            text += (
                f"; {max(0.0, self._limit - passed):.0f} s left of {self._limit:g} s"
            )
        elif reserve:
            text += f"; {passed:.0f} s so far, about {reserve:.0f} s to fit again"
        self._progress(lambda: text, last=True)


def _mean_text(names: Sequence[str], weights: Sequence[float]) -> str:
    """What is averaged, with the weights unless they are equal."""
    if len(set(weights)) > 1:
        shares = np.array(weights) / sum(weights)
        names = [f"{s:.0%} {name}" for s, name in zip(shares, names, strict=True)]
    return f"mean of {', '.join(names)}"


def _relative_cost(member: Member) -> float:
    """Expected time of a fit: that of LambdaMART by that of other members."""
    is_lambdamart = isinstance(member.ranker, LambdaMARTRanker)
    is_lambdamart = is_lambdamart and member.ranker.loss != "mse"
    return _LAMBDAMART_COST if is_lambdamart else 1.0
