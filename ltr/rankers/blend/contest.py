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
from ltr.metrics.names import MetricLike
from ltr.metrics.significance import bootstrap_interval
from ltr.progress import ProgressLine
from ltr.queries import FloatArray, Queries, group_queries
from ltr.rankers.blend.auto_members import (
    RANKNET_QUERIES,
    RANKNET_START_S,
    Member,
)
from ltr.rankers.blend.members import fit_member, scores_of
from ltr.rankers.blend.normalization import normalize_scores
from ltr.rankers.trees.lambdamart import LambdaMARTRanker
from ltr.rankers.warning import warn

_FEWEST_QUERIES = 10  # fewer: none is held out
_HELD_OUT, _MOST_HELD_OUT = 0.2, 1000
_PROBE_TREES, _PROBE_ROWS = 10, 5000
_SPARE = 0.95  # of the time limit: the last tree may end later
# LambdaMART takes this many times as long as regression trees of the same size.
_LAMBDAMART_COST = 2.5
_FEWEST_TREES = 0.25  # of its trees, for which LambdaMART must have time


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
    """

    members: list[Member] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


class Contest:
    """Fit members, compare them on held-out queries, fit them again on all.

    Parameters
    ----------
    time_limit_s : float or None
        Time from now on. None: no limit.
    verbose : int
        Above 0: a line per fit.
    """

    def __init__(self, time_limit_s: float | None, *, verbose: int) -> None:
        self._started = time.monotonic()
        self._limit = math.inf if time_limit_s is None else float(time_limit_s)
        self._progress = ProgressLine(0.0) if verbose > 0 else None
        self._seconds: dict[str, float] = {}
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
        times = self._probe(members) if self._limit < math.inf else {}
        trio = sum(times.values())
        if refit and trio * (1.0 + 1.0 / (1.0 - _HELD_OUT)) > self._left():
            self._train, self._valid, refit = self._data, None, False
        self._too_long = self._without_time(members, times)
        result, errors = Result(), {}
        scores: dict[str, FloatArray] = {}
        reserve = 0.0  # for the fits on all rows of the members so far
        for i, member in enumerate(members):
            later = [m for m in members[i + 1 :] if m.name in times]
            share = self._share(member, later, times, reserve, refit=refit)
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
            result.members.append(fitted)
            if refit and not member.is_optional:
                reserve += self._seconds[member.name] / (1.0 - _HELD_OUT)
            self._report(fitted, scores.get(member.name), members[i + 1 :], reserve)
        if not result.members:
            raise next(iter(errors.values()))
        for name in errors:
            warn(
                f"Member {name!r} failed and is left out of the blend: "
                f"{result.left_out[name]}"
            )
        self._drop_optional(result, scores)
        statuses = {m.name: self._trained_on(refit=False) for m in result.members}
        if refit:
            statuses |= self._refit(result)
        self._fill(result, scores, statuses)
        for message, category in self._messages.items():
            warn(message, category)
        return result

    def _left(self) -> float:
        """Seconds left."""
        return _SPARE * self._limit - (time.monotonic() - self._started)

    def _probe(self, members: Sequence[Member]) -> dict[str, float]:
        """Predicted seconds of fits of trees on the training rows, from a few trees."""
        trees = [m for m in members if isinstance(m.ranker, LambdaMARTRanker)]
        if not trees:
            return {}
        n_trees = trees[0].ranker.n_estimators
        few = clone(trees[0].ranker).set_params(n_estimators=min(_PROBE_TREES, n_trees))
        n_rows = len(self._train.y)
        n_few = min(n_rows, _PROBE_ROWS)
        started = time.monotonic()
        try:
            rows = self._train.take(np.arange(n_few))
            self._fit(Member("probe", few), rows, self._left())
        except Exception:  # noqa: BLE001 - the fit of the member says it
            return {}
        share = few.n_estimators * n_few / (n_trees * n_rows)
        seconds = (time.monotonic() - started) / share
        if trees[0].ranker.loss != "mse":
            seconds /= _LAMBDAMART_COST
        return {
            m.name: seconds * (1.0 if m.ranker.loss == "mse" else _LAMBDAMART_COST)
            for m in trees
        }

    def _without_time(
        self, members: Sequence[Member], times: Mapping[str, float]
    ) -> set[str]:
        """LambdaMART, if its share of the time is too short for a fourth of it."""
        total, left = sum(times.values()), self._left()
        return {
            m.name
            for m in members
            if m.name in times and _is_lambdamart(m) and left < _FEWEST_TREES * total
        }

    def _share(
        self,
        member: Member,
        later: Sequence[Member],
        times: Mapping[str, float],
        reserve: float,
        *,
        refit: bool,
    ) -> float:
        """Seconds that a member's first fit may take, its share of what is left."""
        free = self._left() - reserve
        if refit and not member.is_optional:  # the fit on all rows takes longer
            free /= 1.0 + 1.0 / (1.0 - _HELD_OUT)
        own = times.get(member.name)
        if own is None:
            return free
        others = sum(times[m.name] for m in later if m.name not in self._too_long)
        share = own / (own + others)
        if member.name in self._too_long:
            return 0.0
        return share * free if own + others > free else free

    def _reason_to_skip(self, member: Member, share: float) -> str:
        """Why a member is not fitted; "" if it is."""
        if member.is_optional and self._n_queries < RANKNET_QUERIES:
            return (
                f"{self._n_queries} queries are too few for a network "
                f"(at least {RANKNET_QUERIES})"
            )
        no_time = f"no time within time_limit_s={self._limit:g}"
        if member.is_optional and (
            self._valid is None or share < 1.5 * RANKNET_START_S
        ):
            return no_time
        is_first = not set(self._seconds) - {"probe"}
        return no_time if share <= 0 and not is_first else ""

    def _fit(self, member: Member, rows: Rows, seconds: float) -> Member:
        """The member after fit; its warnings are collected, and its time counted."""
        started = time.monotonic()
        arguments = dict(rows.weights)
        if rows.qid is not None:
            arguments["qid"] = rows.qid
        with warnings.catch_warnings(record=True) as caught, deadline_in(seconds):
            warnings.simplefilter("always")
            fitted = fit_member(
                member.name, clone(member.ranker), rows.X, rows.y, arguments
            )
        if not member.is_optional and member.name != "probe":
            self._messages |= {str(w.message): w.category for w in caught}
        total = self._seconds.get(member.name, 0.0) + time.monotonic() - started
        self._seconds[member.name] = total
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

    def _drop_optional(self, result: Result, scores: Mapping[str, FloatArray]) -> None:
        """Leave out optional members without which the blend is as good."""
        for member in [m for m in result.members if m.is_optional]:
            others = [m.name for m in result.members if m is not member]
            if not others:
                continue
            without = mean_score(np.column_stack([scores[name] for name in others]))
            all_names = [*others, member.name]
            together = mean_score(np.column_stack([scores[n] for n in all_names]))
            old, new = (_mean(self._per_query(s)) for s in (without, together))
            if not new > old:
                result.members.remove(member)
                result.left_out[member.name] = (
                    f"the blend has {self._metric.name} {new:.4f} with it and "
                    f"{old:.4f} without it on held-out queries"
                )

    def _refit(self, result: Result) -> dict[str, str]:
        """Fit the members again on all rows, if there is time; what each has seen."""
        statuses = {}
        costs = {m.name: self._seconds[m.name] for m in result.members}
        order = sorted(range(len(costs)), key=lambda i: costs[result.members[i].name])
        for i in order:
            member = result.members[i]
            expected = costs[member.name] / (1.0 - _HELD_OUT)
            statuses[member.name] = self._trained_on(refit=False)
            if not member.is_optional and expected <= self._left():
                result.members[i] = self._fit(member, self._data, self._left())
                statuses[member.name] = self._trained_on(refit=True)
                if self._progress is not None:
                    self._write(f"{member.name}: fitted on all queries", 0.0)
        return statuses

    def _trained_on(self, *, refit: bool) -> str:
        is_all = refit or self._train is self._data
        return "fitted on all queries" if is_all else "fitted without held-out queries"

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
            blend = mean_score(np.column_stack([scores[name] for name in names]))
            columns = {"blend": blend, **columns}
        statuses = {"blend": f"mean of {', '.join(names)}", **statuses}
        statuses = {
            **statuses,
            **{n: f"left out: {r}" for n, r in result.left_out.items()},
        }
        for name, status in statuses.items():
            values = self._per_query(columns[name]) if name in columns else np.zeros(0)
            low, high = bootstrap_interval(values)
            seconds = self._seconds.get(name, 0.0)
            if name == "blend":
                seconds = time.monotonic() - self._started
            result.rows.append(
                {
                    "member": name,
                    "score": _mean(values),
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
        later: Sequence[Member],
        reserve: float,
    ) -> None:
        """Write a line of progress."""
        if self._progress is None:
            return
        text = f"{member.name}: {self._seconds[member.name]:.1f} s"
        if scores is not None:
            values = self._per_query(scores)
            text += f", {self._metric.name} {_mean(values):.4f}"
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


def mean_score(scores: FloatArray) -> FloatArray:
    """Mean of the columns, in the same order of additions for each row.

    Examples
    --------
    >>> mean_score(np.array([[1.0, 3.0], [0.0, 2.0]])).tolist()
    [2.0, 1.0]
    """
    total = np.zeros(len(scores))
    for column in scores.T:
        total += column
    return np.asarray(total / scores.shape[1])


def _is_lambdamart(member: Member) -> bool:
    return getattr(member.ranker, "loss", "mse") != "mse"


def _mean(values: FloatArray) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else math.nan
