"""What blends share: named members, the inputs that each takes, their scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, signature
from typing import Any, ClassVar

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from ltr.arguments import ArgumentError
from ltr.queries import FloatArray, Queries, check_rows, group_queries
from ltr.rankers.base import BaseRanker
from ltr.rankers.blend.normalization import Normalization, normalize_scores

_VALIDATION = ("X_val", "y_val", "qid_val")
# inputs about the data: a member that ignored them would learn from other data
_WEIGHTS = ("sample_weight", "query_weight")


class BlendRanker(BaseRanker):
    """Abstract base of what has fitted members: their scores, names, importances.

    ``fit`` sets ``rankers_``, the fitted members.
    """

    _set_by_fit: ClassVar[str] = "rankers_"
    rankers_: list[Any]

    _names: list[str]  # of the fitted members

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise if a parameter is invalid."""

    @property
    def named_rankers_(self) -> Any:
        """The fitted members by name."""
        check_is_fitted(self)
        return Bunch(**dict(zip(self._names, self.rankers_, strict=True)))

    @property
    def n_features_in_(self) -> int:
        """Number of columns that the members were fitted on."""
        self._raise_unless_fitted("n_features_in_")
        return n_columns_of(self.rankers_)

    @property
    def feature_names_in_(self) -> Any:
        """Column names, if ``X`` had string ones."""
        self._raise_unless_fitted("feature_names_in_")
        return self._widest().feature_names_in_

    @property
    def _column_names(self) -> Any:  # type: ignore[override]
        members = getattr(self, "rankers_", ())
        return getattr(self._widest(), "_column_names", None) if members else None

    def _widest(self) -> Any:
        """A member that took all columns as features; None if there is none."""
        takes_all = lambda member: member.n_features_in_ == self.n_features_in_
        return next(filter(takes_all, self.rankers_), None)

    def _raise_unless_fitted(self, name: str) -> None:
        """``hasattr`` is False before fit."""
        if not hasattr(self, "rankers_"):
            raise AttributeError(f"{type(self).__name__} has {name!r} after fit only.")

    def predict_members(self, X: ArrayLike, qid: ArrayLike | None = None) -> FloatArray:
        """Normalized scores of each member.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.

        Returns
        -------
        scores : float array of shape (n_samples, n_members)
        """
        check_is_fitted(self)
        check_rows({"X": X, "qid": qid})
        self._check_width(X)
        columns = [
            scores_of(name, member, X, qid)
            for name, member in zip(self._names, self.rankers_, strict=True)
        ]
        n_samples = len(columns[0])
        self._warn_if_many(n_samples, qid)
        return self._normalized(columns, group_queries(qid, n_samples, rows=X))

    def _check_width(self, X: ArrayLike) -> None:
        """Raise in the blend's own name if X has another number of features."""
        shape, expected = np.shape(X), getattr(self, "n_features_in_", None)
        if len(shape) == 2 and expected not in (None, shape[1]):
            raise ValueError(
                f"X has {shape[1]} features, but {type(self).__name__} is expecting "
                f"{expected} features as input."
            )

    def _normalized(self, columns: list[FloatArray], queries: Queries) -> FloatArray:
        how: Normalization = getattr(self, "normalize", "zscore")
        return np.column_stack([normalize_scores(s, queries, how) for s in columns])

    def _shared_importances(self, weights: FloatArray) -> FloatArray:
        """Weighted mean of the members' importances, each with the sum 1."""
        self._raise_unless_fitted("feature_importances_")
        rows, shares = [], []
        for member, weight in zip(self.rankers_, weights, strict=True):
            importances = getattr(member, "feature_importances_", None)
            if importances is not None:
                total = float(np.sum(importances))
                rows.append(np.asarray(importances, np.float64) / (total or 1.0))
                shares.append(weight)
        if not rows or not np.sum(shares):
            raise AttributeError("No member has feature_importances_.")
        return np.asarray(np.average(rows, axis=0, weights=shares))


class MemberRanker(BlendRanker, _BaseComposition):
    """Abstract base of the blends whose members are a parameter.

    ``rankers`` is a list of pairs of a name and an estimator, ``"drop"`` among them.
    """

    rankers: list[tuple[str, Any]]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, and with ``deep`` those of the members as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include members, and their parameters.

        Returns
        -------
        parameters : dict of str to object
        """
        return dict(self._get_params("rankers", deep=deep))

    def set_params(self, **params: Any) -> Any:
        """Set parameters, members by their names, or parameters of members.

        Parameters
        ----------
        **params : dict
            ``name=ranker`` replaces a member, ``name="drop"`` leaves it out,
            ``name__parameter=value`` sets a parameter of it.

        Returns
        -------
        self : object
        """
        return self._set_params("rankers", **params)

    def _checked_members(self) -> list[tuple[str, Any]]:
        """The members that are not dropped; an error if they are no named rankers."""
        is_list = isinstance(self.rankers, (list, tuple))
        if not is_list or not all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in self.rankers
        ):
            raise ArgumentError(
                "rankers must be a list of pairs (name, ranker); got "
                f"{self.rankers!r:.200}. Pass [('trees', LambdaMARTRanker()), …]."
            )
        for name, member in self.rankers:
            is_estimator = hasattr(member, "fit") and hasattr(member, "predict")
            is_estimator = is_estimator and not isinstance(member, type)
            if not isinstance(name, str) or not (is_estimator or _is_dropped(member)):
                raise ArgumentError(
                    "rankers must be pairs of a name and a ranker, or 'drop'; got "
                    f"({name!r:.100}, {member!r:.100}). Pass ('trees', "
                    "LambdaMARTRanker())."
                )
        check_distinct("rankers", [name for name, _ in self.rankers])
        self._validate_names([name for name, _ in self.rankers])
        members = [pair for pair in self.rankers if not _is_dropped(pair[1])]
        if not members:
            raise ArgumentError(
                "rankers must have at least one member that is not dropped; got "
                f"{self.rankers!r:.200}. Add a ranker."
            )
        return [(name, member) for name, member in members]

    def _fit_members(
        self,
        X: Any,
        y: ArrayLike,
        inputs: Mapping[str, Any],
        n_jobs: int | None,
    ) -> None:
        """Fit clones of the members; ``inputs`` are the other arguments of fit."""
        members = self._checked_members()
        check_rows(
            {"X": X, "y": y}
            | {name: v for name, v in inputs.items() if not name.endswith("_val")}
        )
        arguments = arguments_of_members(members, inputs)
        fitted = Parallel(n_jobs=n_jobs)(
            delayed(fit_member)(name, clone(member), X, y, arguments[name])
            for name, member in members
        )
        qid = inputs["qid"]
        group_queries(qid, _num_samples(X), rows=X)
        self.__dict__.pop("_zero_based", None)  # of the files of an earlier fit
        self._fitted_with_qid = qid is not None
        self._names, self.rankers_ = [name for name, _ in members], list(fitted)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            members = [get_tags(m) for _, m in self.rankers if not _is_dropped(m)]
        except (TypeError, ValueError, AttributeError):
            return tags  # fit says what is wrong with the members
        for name in ("sparse", "allow_nan", "categorical"):
            takes = [getattr(member.input_tags, name) for member in members]
            setattr(tags.input_tags, name, bool(takes) and all(takes))
        return tags

    def _sk_visual_block_(self) -> Any:
        """Members side by side, in the HTML of a notebook."""
        from sklearn.utils._repr_html.estimator import _VisualBlock

        names, members = zip(*self.rankers, strict=True)
        return _VisualBlock("parallel", members, names=names)


def check_distinct(parameter: str, names: list[str]) -> None:
    """Raise if two members have the same name.

    Parameters
    ----------
    parameter : str
        Name of the parameter that has the members.
    names : list of str
        Their names.

    Raises
    ------
    ArgumentError
        With the places of the first name that is repeated.
    """
    for name in names:
        places = [i for i, other in enumerate(names) if other == name]
        if len(places) > 1:
            raise ArgumentError(
                f"{parameter} must have distinct names; got {name!r} at "
                f"{' and '.join(map(str, places[:2]))}. Rename one."
            )


def arguments_of_members(
    members: list[tuple[str, Any]], inputs: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Arguments of each member's fit, but X and y: those that it takes.

    Parameters
    ----------
    members : list of (str, estimator)
        Not fitted.
    inputs : mapping of str to object
        Arguments of the blend's ``fit``; None where there is none.

    Returns
    -------
    arguments : dict of str to dict

    Raises
    ------
    ArgumentError
        If weights are not taken by every member, or another input by none.
    """
    present = {name: value for name, value in inputs.items() if value is not None}
    arguments: dict[str, dict[str, Any]] = {}
    for name, member in members:
        names = taken_inputs(member, "fit", list(present))
        if get_early_stopping(member) is False:
            names -= set(_VALIDATION)
        arguments[name] = {key: present[key] for key in present if key in names}
        for key in _WEIGHTS:
            if key in present and key not in names:
                raise ArgumentError(
                    f"{key} must be taken by every member; the fit of {name!r}, "
                    f"{type(member).__name__}, takes none. Leave {key} out, or "
                    f"{name!r}."
                )
    for key in present:
        if key != "qid" and not any(key in taken for taken in arguments.values()):
            raise ArgumentError(
                f"{key} must be taken by a member; got members that take none. Leave "
                f"{key} out."
            )
    return arguments


def n_columns_of(members: list[Any]) -> int:
    """Number of columns that members were fitted on.

    Parameters
    ----------
    members : list of estimator
        Fitted on the same rows.

    Returns
    -------
    n_columns : int
        Of the member with the most: those that constraints of one refer to are none of
        its features.
    """
    widths = (getattr(m, "n_columns_in_", m.n_features_in_) for m in members)
    return max(map(int, widths))


def get_early_stopping(member: Any) -> Any:
    """The parameter ``early_stopping`` of a member; None if it has none."""
    return getattr(member, "early_stopping", None)


def taken_inputs(estimator: Any, method: str, names: list[str]) -> set[str]:
    """Those of the inputs that a method of an estimator takes.

    Parameters
    ----------
    estimator : estimator
        A ranker, a pipeline, or any regressor.
    method : {"fit", "predict"}
        Its method.
    names : list of str
        Names of inputs.

    Returns
    -------
    taken : set of str
        Parameters of the method, and where it takes any keyword (as pipelines do) those
        that metadata routing leads to a step.
    """
    parameters = signature(getattr(estimator, method)).parameters
    taken = {name for name in names if name in parameters}
    if any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values()):
        with sklearn.config_context(enable_metadata_routing=True):
            taken |= set(estimator.get_metadata_routing().consumes(method, names))
    return taken


def fit_member(
    name: str, member: Any, X: Any, y: ArrayLike, arguments: Mapping[str, Any]
) -> Any:
    """Fit a member; an error says whose it is, in a note.

    Parameters
    ----------
    name : str
        Name of the member.
    member : estimator
        It is changed.
    X, y : array-like
        Training rows.
    arguments : mapping of str to object
        Other arguments of its ``fit``.

    Returns
    -------
    member : estimator
    """
    with sklearn.config_context(enable_metadata_routing=True), errors_of_member(name):
        return member.fit(X, y, **arguments)


@contextmanager
def errors_of_member(name: str) -> Iterator[None]:
    """Add a note with the name of the member to errors."""
    try:
        yield
    except Exception as error:
        error.add_note(f"In member {name!r} of the blend.")
        raise


def scores_of(name: str, member: Any, X: Any, qid: ArrayLike | None) -> FloatArray:
    """Scores of a fitted member, one number a row.

    Parameters
    ----------
    name : str
        Name of the member, for messages.
    member : estimator
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Features.
    qid : array-like of shape (n_samples,) or None
        Query of each row; passed on if ``predict`` takes it.

    Returns
    -------
    scores : float array of shape (n_samples,)

    Raises
    ------
    ValueError
        If a score is NaN.
    """
    arguments = {}
    if qid is not None and taken_inputs(member, "predict", ["qid"]):
        arguments = {"qid": qid}
    with sklearn.config_context(enable_metadata_routing=True), errors_of_member(name):
        scores = np.asarray(member.predict(X, **arguments), dtype=np.float64)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if scores.ndim != 1 or np.isnan(scores).any():
        raise ValueError(
            f"member {name!r} must give one score per row; got scores of shape "
            f"{scores.shape}, {int(np.isnan(scores).sum())} of them NaN. Fit it again, "
            "or leave it out."
        )
    return scores


def _is_dropped(member: Any) -> bool:
    return isinstance(member, str) and member == "drop"
