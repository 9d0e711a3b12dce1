"""load_ranker: a saved ranker that predicts with NumPy, and can become an estimator."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.queries import FloatArray, IntArray
from ltr.rankers.model_folder import SavedModel, damage_as_value_error, read_model
from ltr.rankers.ranks import check_cut_off, lists_of, order_rows, rank_rows
from ltr.rankers.saved_functions import Trusted
from ltr.serving.restoring import restore
from ltr.serving.scoring import Scoring

if TYPE_CHECKING:
    from ltr.files import PathLike

_DEFINED_IN = {
    "AutoRanker": "ltr.rankers.blend.auto",
    "ConstrainedRanker": "ltr.rankers.constrained",
    "LambdaMARTRanker": "ltr.rankers.trees.lambdamart",
    "LinearRanker": "ltr.rankers.linear",
    "NeuralRanker": "ltr.rankers.neural.neural",
    "NumericRanker": "ltr.rankers.blend.numeric",
    "Pipeline": "sklearn.pipeline",
    "RandomRanker": "ltr.rankers.baselines",
    "SingleFeatureRanker": "ltr.rankers.baselines",
    "StackingRanker": "ltr.rankers.blend.stacking",
    "TSPRanker": "ltr.rankers.pairs.tsprank",
    "VotingRanker": "ltr.rankers.blend.voting",
}
_lock = threading.RLock()
_ESTIMATORS = "ltr.rankers.base"  # is imported with each class of estimators


def load_ranker(
    folder: PathLike,
    *,
    pair_features: Callable[..., Any] | None = None,
    trusted: Trusted = (),
) -> Any:
    """Read a ranker that :func:`ltr.save_ranker` wrote.

    Nothing in the folder is executed: it holds JSON, arrays without pickled objects,
    and LightGBM's text format.

    Parameters
    ----------
    folder : path
        The folder.
    pair_features : callable, default=None
        The function that the ranker was fitted with as its parameter ``pair_features``;
        only its name is saved.
    trusted : collection of str or callable, default=()
        Functions that the ranker was fitted with (a loss, a metric or label gains of
        your own), or their names ``"module:name"``, which are then imported. Others
        are refused.

    Returns
    -------
    ranker : ranker
        Fitted, with the same predictions, bit by bit. In a process that has imported no
        class of rankers (that only serves) it is a :class:`LoadedRanker`, otherwise
        the estimator itself.

    Raises
    ------
    ValueError
        If the folder was not written by :func:`save_ranker`, was written by a newer
        version, is damaged, or was forged: a field of the wrong kind or out of range,
        or trees that LightGBM could not read without harm.

    Notes
    -----
    ``predict``, ``rank`` and ``order`` of a :class:`LoadedRanker` need NumPy only, and
    LightGBM where there are trees; those of :class:`ltr.ConstrainedRanker` and
    :class:`ltr.TSPRanker` need SciPy for the solver, unless the decoder is ``"borda"``,
    and OR-Tools where the solver does. Nothing is
    compiled, and any number of threads may predict at once.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from ltr import RandomRanker, save_ranker
    >>> folder = tempfile.mkdtemp() + "/model"
    >>> save_ranker(RandomRanker().fit(np.zeros((2, 1)), [0, 1]), folder)
    >>> load_ranker(folder)
    RandomRanker()
    """
    if _ESTIMATORS in sys.modules:
        return _load_estimator(folder, pair_features, trusted)
    source = Path(folder)
    model = read_model(source)
    with damage_as_value_error(source):
        scoring = restore(model, pair_features, trusted)
    if scoring is None:  # of a class that has no scores of rows
        return _load_estimator(folder, pair_features, trusted)
    return LoadedRanker(source, model, scoring, (pair_features, trusted))


def _load_estimator(
    folder: PathLike, pair_features: Callable[..., Any] | None, trusted: Trusted
) -> Any:
    from ltr.rankers import persistence

    return persistence.load_ranker(folder, pair_features=pair_features, trusted=trusted)


class LoadedRanker:
    """A saved ranker in a process that serves it.

    It predicts as its estimator does, without JAX, scikit-learn and pandas. When any
    other method or attribute is asked for (``score``, ``get_params``, ``partial_fit``,
    ``booster_``, …), it loads them and *becomes* the estimator, in place. Until then it
    counts as an instance of the class of its estimator, where that is imported.

    Attributes
    ----------
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of shape (n_features,)
        Column names, if ``fit`` had string ones.
    """

    def __init__(
        self,
        folder: Path,
        model: SavedModel,
        scoring: Scoring,
        functions: tuple[Callable[..., Any] | None, Trusted],
    ) -> None:
        vars(self)["_scoring"] = scoring
        vars(self)["_source"] = (
            folder.resolve(),
            model.document.get("checksum", model.document["sha256"]),
            functions,
        )

    def predict(self, X: Any, qid: Any = None, **inputs: Any) -> FloatArray:
        """Score items.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, of the kinds that the estimator takes.
        qid : array-like of shape (n_samples,), default=None
            Query of each row, in any order. None: one query.
        **inputs
            ``pair_features`` of :class:`ltr.TSPRanker`, ``attributes`` of
            :class:`ltr.ConstrainedRanker`, ``query_features`` of networks on items and
            of boosted trees.

        Returns
        -------
        scores : float array of shape (n_samples,)
            Higher is better, in the order of the rows.

        Raises
        ------
        ValueError
            If ``X`` or ``qid`` is invalid; the message says what came and where.
        TypeError
            If there is another input, which the estimator does not take.
        """
        scoring = _scoring(self)
        if scoring is None:
            return _estimator(self).predict(X, qid, **inputs)
        return _scores(scoring, X, qid, inputs)

    def rank(self, X: Any, qid: Any = None, **inputs: Any) -> IntArray:
        """Rank the items of every query, see :meth:`ltr.NeuralRanker.rank`.

        Parameters
        ----------
        X, qid, **inputs
            As for :meth:`predict`.

        Returns
        -------
        ranks : int array of shape (n_samples,)
            1 for the best item of its query.
        """
        scoring = _scoring(self)
        if scoring is None:
            return _estimator(self).rank(X, qid, **inputs)
        scores = _scores(scoring, X, qid, inputs)
        return rank_rows(scores, lists_of(scores, qid, scoring.fitted_with_qid))

    def order(
        self, X: Any, qid: Any = None, k: int | None = None, **inputs: Any
    ) -> IntArray:
        """Row numbers of every query, best first, see :meth:`ltr.NeuralRanker.order`.

        Parameters
        ----------
        X, qid, **inputs
            As for :meth:`predict`.
        k : int, default=None
            Take the first k rows of each query. None: all.

        Returns
        -------
        rows : int array of shape (n_rows,)
            Query by query, and best first within a query.
        """
        check_cut_off(k, qid)
        scoring = _scoring(self)
        if scoring is None:
            return _estimator(self).order(X, qid, k, **inputs)
        scores = _scores(scoring, X, qid, inputs)
        return order_rows(scores, lists_of(scores, qid, scoring.fitted_with_qid), k)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """For ``isinstance``: the estimator's class, once somebody has imported it."""
        scoring = vars(self).get("_scoring")
        if scoring is None:
            return LoadedRanker
        owner = scoring.columns.owner
        module = sys.modules.get(_DEFINED_IN[owner])
        return LoadedRanker if module is None else getattr(module, owner)

    def __getattr__(self, name: str) -> Any:
        """Look up what only the estimator has."""
        scoring = _scoring(self)
        is_protocol = name.startswith("__") and not name.startswith("__sklearn")
        if is_protocol or name in ("_source", "_scoring"):
            raise AttributeError(name)
        if scoring is not None:
            columns = scoring.columns
            if name in ("n_features_in_", "_column_names"):
                return getattr(columns, name)
            if name == "feature_names_in_" and columns.feature_names_in_ is None:
                raise AttributeError(name)
            if name == "feature_names_in_":
                return columns.feature_names_in_
        try:
            return getattr(_estimator(self), name)
        except ImportError as error:
            reason = f"needs {error.name}, which is not installed here"
            if error.name is None:  # of a shared library, say
                reason = f"needs an import that fails here ({error})"
            raise AttributeError(
                f"{name!r} of a ranker that is loaded to serve {reason}; predict, rank "
                "and order do not."
            ) from error

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_estimator(self), name, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _estimator(self).__reduce_ex__(protocol)

    def __repr__(self) -> str:
        scoring, source = _scoring(self), vars(self).get("_source")
        if scoring is None or source is None:
            return repr(_estimator(self))
        folder, columns = source[0], scoring.columns
        return (
            f"<{columns.owner} of {columns.n_features_in_} features, loaded to predict "
            f"from {str(folder)!r}>"
        )


# Functions, not methods: while a method of a LoadedRanker runs, another thread may make
# the object an estimator, which has none of them.
def _scores(
    scoring: Scoring, X: Any, qid: Any, inputs: Mapping[str, Any]
) -> FloatArray:
    """Scores, or the TypeError of an estimator that does not take the inputs."""
    others = sorted(inputs.keys() - {*scoring.takes})
    if others:
        raise TypeError(
            f"{scoring.columns.owner}.predict() got an unexpected keyword argument "
            f"{others[0]!r}"
        )
    return scoring.predict(X, qid, **inputs)


def _scoring(ranker: Any) -> Scoring | None:
    """What predicts; None if another thread has made the ranker an estimator."""
    return vars(ranker).get("_scoring")


def _estimator(ranker: Any) -> Any:
    """Make a loaded ranker the estimator, in place."""
    with _lock:
        if type(ranker) is not LoadedRanker:
            return ranker
        folder, checksum, functions = vars(ranker)["_source"]
        estimator = _load_estimator(folder, *functions)
        document = read_model(folder).document
        if document.get("checksum", document["sha256"]) != checksum:
            raise ValueError(
                f"{folder} must still hold the ranker that was loaded; another one "
                "was saved there since. Call load_ranker again."
            )
        # the attributes first: a thread that comes between waits for the lock
        object.__setattr__(ranker, "__dict__", vars(estimator))
        vars(object)["__class__"].__set__(ranker, type(estimator))
        return ranker
