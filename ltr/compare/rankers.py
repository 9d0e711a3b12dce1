"""Fit several rankers on the same folds, with a cache of finished fits."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn.base
from sklearn.utils.validation import has_fit_parameter

from ltr.arguments import suggest
from ltr.compare.leaderboard import Leaderboard, Results
from ltr.compare.peers import PEERS, PeerRanker
from ltr.datasets import RankingData
from ltr.files import PathLike, whole_file
from ltr.losses import LOSSES
from ltr.metrics import Metric, get_metric
from ltr.metrics.names import MetricLike
from ltr.queries import FloatArray, group_queries
from ltr.rankers import (
    AutoRanker,
    LambdaMARTRanker,
    LinearRanker,
    NeuralRanker,
    RandomRanker,
    SingleFeatureRanker,
)
from ltr.rankers.trees.parameters import GOOD_SETTINGS, ONE_THREAD_BELOW
from ltr.scorers import SCORERS

DEFAULT_RANKERS = (
    "auto",
    "random",
    "best_feature",
    "linear",
    "pointwise_trees",
    "lambdamart",
    "linear_lambdarank",
    "linear_listmle",
    "mlp_ranknet",
    "mlp_listnet",
)
_TREES = GOOD_SETTINGS | {"early_stopping": True}
_LARGEST_HEADERS = 4096  # bytes of an entry of the cache beside its numbers
_DIGEST = hashlib.sha256().digest_size
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Fold:
    """Queries to train on, to stop and select on, and to report on.

    Attributes
    ----------
    train, valid, test : RankingData
        The three parts.
    """

    train: RankingData
    valid: RankingData
    test: RankingData


def query_folds(
    data: RankingData, n_folds: int = 5, random_state: int = 0
) -> list[Fold]:
    """Split the queries into parts, each of which is the test part of one fold.

    Parameters
    ----------
    data : RankingData
        Data to split.
    n_folds : int, default=5
        Number of parts, ≥ 3: test, validation, and the others to train on.
    random_state : int, default=0
        Seed of the split.

    Returns
    -------
    folds : list of Fold

    Raises
    ------
    ValueError
        If there are fewer than 3 parts, or fewer queries than parts.
    """
    queries = group_queries(data.qid, len(data.y))
    if n_folds < 3 or queries.n_lists < n_folds:
        raise ValueError(
            "n_folds must be >= 3 (test, validation, training) and at most the number "
            f"of queries; got n_folds={n_folds} and {queries.n_lists} queries."
        )
    shuffled = np.random.default_rng(random_state).permutation(queries.n_lists)
    parts = [
        data.take(queries.subset(part)) for part in np.array_split(shuffled, n_folds)
    ]
    return part_folds(parts)


def part_folds(parts: Sequence[RankingData]) -> list[Fold]:
    """Rotate parts as LETOR does: fold 1 trains on all but the last two.

    Parameters
    ----------
    parts : sequence of RankingData
        S1, S2, …, at least 3.

    Returns
    -------
    folds : list of Fold
        Fold i rotates the parts to i, i + 1, …: it tests on the last, validates on the
        one before, and trains on the others.

    Raises
    ------
    ValueError
        If there are fewer than 3 parts.
    """
    n = len(parts)
    if n < 3:
        raise ValueError(f"parts must have at least 3 parts; got {n}.")
    folds = []
    for i in range(n):
        rotated = [parts[(i + j) % n] for j in range(n)]
        folds.append(Fold(_concatenate(rotated[:-2]), rotated[-2], rotated[-1]))
    return folds


def make_ranker(name: str) -> Any:
    """Make an untuned ranker by its name on the command line.

    Trees have at most 400 rounds with early stopping, learning rate .05, and 15 leaves
    of at least 50 rows, from .7 of the features and .8 of the rows. Other parameters
    keep their defaults.

    Parameters
    ----------
    name : str
        ``"auto"``, ``"random"``, ``"best_feature"``, ``"linear"``,
        ``"pointwise_trees"``, ``"lambdamart"``, the name of a library in
        ``ltr.compare.peers`` (its defaults) or the name and ``"_good"``, or
        ``"<scorer>_<loss>"`` such as ``"mlp_ranknet"``.

    Returns
    -------
    ranker : estimator
        Unfitted.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> make_ranker("linear_lambdarank")
    NeuralRanker(loss='lambdarank', scorer='linear')
    """
    if name == "random":
        return RandomRanker()
    if name == "best_feature":
        return SingleFeatureRanker()
    if name == "linear":
        return LinearRanker()
    if name == "pointwise_trees":
        return LambdaMARTRanker("mse", **_TREES)
    if name == "lambdamart":
        return LambdaMARTRanker(**_TREES)
    if name == "auto":
        return AutoRanker()
    library, _, setting = name.partition("_")
    if library in PEERS and setting in ("", "good"):
        return PeerRanker(library, setting or "default")
    parts = scorer_and_loss(name)
    if parts is None:
        *scorers, last_scorer = _scorers_by_name()
        raise ValueError(
            f"unknown ranker {name!r}. Known rankers: 'auto', 'random', "
            "'best_feature', 'linear', 'pointwise_trees', 'lambdamart', "
            f"{', '.join(repr(peer) for peer in PEERS)}, and '<scorer>_<loss>' with "
            f"the scorer {', '.join(scorers)} or {last_scorer} and the loss "
            f"{', '.join(LOSSES)}.{suggest(name, ['auto', *DEFAULT_RANKERS, *PEERS])}"
        )
    scorer, loss = parts
    return NeuralRanker(loss, scorer)


def scorer_and_loss(name: str) -> tuple[str, str] | None:
    """Split ``"<scorer>_<loss>"``; None if it has another form.

    Scorers that require a parameter, such as the width of an embedding, have no name
    on the command line.

    Parameters
    ----------
    name : str
        Name of a ranker on the command line.

    Returns
    -------
    parts : tuple of str or None
        Keys of :data:`ltr.scorers.SCORERS` and :data:`ltr.losses.LOSSES`.

    Examples
    --------
    >>> scorer_and_loss("mlp_approx_ndcg")
    ('mlp', 'approx_ndcg')
    """
    for scorer in _scorers_by_name():
        loss = name.removeprefix(f"{scorer}_")
        if loss != name and loss in LOSSES:
            return scorer, loss
    return None


def _scorers_by_name() -> list[str]:
    """Names of the scorers that can be made without further parameters."""
    return [name for name, kind in SCORERS.items() if not kind.required_parameters]


def compare_rankers(
    rankers: Mapping[str, Any],
    folds: Sequence[Fold] | RankingData,
    *,
    metrics: Sequence[MetricLike] = ("ndcg@10", "ndcg@1", "ndcg@5", "map"),
    metric_options: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (0,),
    picks: Mapping[str, Sequence[str]] | None = None,
    work_dir: PathLike | None = None,
    progress: Progress | None = None,
) -> Leaderboard:
    """Fit rankers on every fold and seed, and compare them on the test queries.

    Parameters
    ----------
    rankers : mapping of str to estimator
        Rankers by name; each is cloned. Those with a ``random_state`` are fitted once
        per seed.
    folds : sequence of Fold, or RankingData
        From :func:`query_folds`, :func:`part_folds` or your own split; of data, the
        five of :func:`query_folds`. Rankers whose ``fit`` has the parameter ``X_val``
        get the validation queries: to stop early, or, as ``AutoRanker`` does, to
        compare members; none is trained on them.
    metrics : sequence, default=("ndcg@10", "ndcg@1", "ndcg@5", "map")
        Metrics for :func:`ltr.metrics.get_metric`. The first one sorts the table and is
        the metric of early stopping and of picks.
    metric_options : mapping, default=None
        Options of all metrics: ``empty``, ``gain``, ``discount``, ….
    seeds : sequence of int, default=(0,)
        Values of ``random_state``; the metrics of a query are averaged over them.
    picks : mapping of str to sequence of str, default=None
        Additional rows: for each fold and seed, the one of these rankers that is best
        on the validation queries.
    work_dir : path, default=None
        Folder that caches every finished fit, so that an interrupted comparison
        resumes. A damaged entry is refitted, with a warning. Rankers with a function as
        a parameter are always refitted.
    progress : callable, default=None
        Called with a line of text after every fit.

    Returns
    -------
    leaderboard : Leaderboard
        Rankers whose fit failed are listed with the reason.

    Raises
    ------
    ValueError
        If a metric is unknown, a pick has no or unknown rankers, there is no fold, or
        ``work_dir`` is not a folder.
    """
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    measures = [get_metric(name, **(metric_options or {})) for name in metrics]
    titles = tuple(measure.name for measure in measures)
    if not metrics or len(set(titles)) < len(titles):
        raise ValueError(f"metrics must be distinct names; got {metrics!r}.")
    folds = _check_folds(rankers, folds)
    for pick, names in (picks or {}).items():
        unknown = sorted(set(names) - set(rankers))
        if unknown or not names:
            raise ValueError(
                f"pick {pick!r} must be among the compared rankers; got {names!r}."
            )
    cache = _Cache(work_dir)
    results = Results(metrics=titles, seeds=tuple(seeds))
    for fold in folds:
        queries = group_queries(fold.test.qid, len(fold.test.y))
        results.add_lists(queries, _random_order(measures, fold.test))
    tasks = [
        (number, seed, name)
        for number in range(len(folds))
        for seed in seeds
        for name in rankers
        if seed == seeds[0] or "random_state" in rankers[name].get_params()
    ]
    for task, (number, seed, name) in enumerate(tasks, start=1):
        if name in results.failures:
            continue
        fold = folds[number]
        label = f"[{task}/{len(tasks)}] fold {number + 1} seed {seed} {name}"
        ranker = sklearn.base.clone(rankers[name])
        if "metric" in ranker.get_params():
            ranker.set_params(metric=metrics[0])
        results.rankers.setdefault(name, sklearn.base.clone(ranker))
        if "random_state" in ranker.get_params():
            ranker.set_params(random_state=seed)
        try:
            fit = cache.get(ranker, fold)
        except (ValueError, MemoryError, RuntimeError) as error:
            results.failures[name] = str(error) or type(error).__name__
            if progress:
                progress(f"{label}: failed: {error}")
            continue
        valid = measures[0](fold.valid.y, fit.valid, fold.valid.qid)
        test = _per_query(measures, fold.test, fit.test)
        seconds = fit.seconds, fit.compile_seconds
        results.add(name, number, seed, valid, test, *seconds)
        if progress:
            mean = float(np.nanmean(test[:, 0])) if len(test) else float("nan")
            progress(f"{label}: {titles[0]} {mean:.4f} in {fit.seconds:.1f} s")
    for pick, names in (picks or {}).items():
        results.pick(pick, names)
    return results.leaderboard()


def _check_folds(rankers: Any, folds: Any) -> Sequence[Fold]:
    if not isinstance(rankers, Mapping):
        kind = type(rankers).__name__
        raise TypeError(f"rankers must be a mapping of names to rankers; got {kind}.")
    if isinstance(folds, RankingData):
        return query_folds(folds)
    if not isinstance(folds, Sequence) or not folds:
        raise ValueError(
            "folds must be a RankingData or a sequence of Fold, such as "
            f"query_folds(data, n_folds=5), and not empty; got {folds!r}."
        )
    return folds


class _Fit(NamedTuple):
    """Scores of the validation and test rows, and the time of the fit."""

    valid: FloatArray
    test: FloatArray
    seconds: float
    compile_seconds: float


class _Cache:
    """Fits rankers, or reads the fits that an earlier run left in the folder.

    An entry is an ``.npz`` archive followed by its SHA-256, so that damage of any kind
    is found before the archive is parsed.
    """

    def __init__(self, work_dir: PathLike | None) -> None:
        self._folder = None if work_dir is None else Path(work_dir)
        self._fingerprints: dict[int, str] = {}
        if self._folder is None:
            return
        if self._folder.exists() and not self._folder.is_dir():
            raise ValueError(
                f"work_dir must be a folder, or not exist yet; {self._folder} is "
                "something else. Choose another path."
            )
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, ranker: Any, fold: Fold) -> _Fit:
        if self._folder is None or any(map(callable, ranker.get_params().values())):
            return _fit(ranker, fold)  # a function has no fingerprint
        path = self._folder / f"{self._key(ranker, fold)}.npz"
        if path.exists():
            try:
                return _read_fit(path, fold)
            except (OSError, ValueError) as error:
                warnings.warn(
                    f"{path} is not a finished fit: {error}. It is fitted again.",
                    stacklevel=3,
                )
        fit = _fit(ranker, fold)
        if path.exists() and not path.is_file():
            return fit
        archive = io.BytesIO()
        np.savez(archive, **fit._asdict())
        content = archive.getvalue()
        with whole_file(path) as scratch:
            scratch.write_bytes(content + hashlib.sha256(content).digest())
        return fit

    def _key(self, ranker: Any, fold: Fold) -> str:
        if id(fold) not in self._fingerprints:
            digest = hashlib.sha256()
            for part in (fold.train, fold.valid, fold.test):
                codes = group_queries(part.qid, len(part.y)).codes
                for array in (part.X, part.y, codes):
                    digest.update(repr((array.shape, array.dtype)).encode())
                    digest.update(np.ascontiguousarray(array).tobytes())
            self._fingerprints[id(fold)] = digest.hexdigest()
        description = {
            "ranker": type(ranker).__qualname__,
            "parameters": {k: _exactly(v) for k, v in ranker.get_params().items()},
            "fold": self._fingerprints[id(fold)],
            "version": version("ltr"),
            "form": 4,  # of the entry
        }
        text = json.dumps(description, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _exactly(value: Any) -> str:
    """Text of a parameter in full, so that distinct values have distinct texts."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr(value)


def _read_fit(path: Path, fold: Fold) -> _Fit:
    """Read an entry of the cache; an error if it is damaged or of other rows."""
    if not path.is_file():
        raise ValueError("it is a folder, a device or a pipe")
    n_valid, n_test = len(fold.valid.y), len(fold.test.y)
    if path.stat().st_size > 8 * (n_valid + n_test) + _LARGEST_HEADERS:
        raise ValueError("it is too large")
    content = path.read_bytes()
    archive, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(archive).digest() != digest:
        raise ValueError("it is cut off or damaged")
    with np.load(io.BytesIO(archive), allow_pickle=False) as file:
        fit = _Fit(*(file[name] for name in _Fit._fields))
    if (fit.valid.shape, fit.test.shape) != ((n_valid,), (n_test,)):
        raise ValueError("it has the scores of other rows")
    return fit._replace(
        seconds=float(fit.seconds), compile_seconds=float(fit.compile_seconds)
    )


def _fit(ranker: Any, fold: Fold) -> _Fit:
    started = time.perf_counter()
    validation = {}
    if has_fit_parameter(ranker, "X_val"):
        validation = {
            "X_val": fold.valid.X,
            "y_val": fold.valid.y,
            "qid_val": fold.valid.qid,
        }
    is_small = fold.train.X.size < ONE_THREAD_BELOW
    if is_small and "n_jobs" in ranker.get_params() and ranker.n_jobs is None:
        ranker.set_params(n_jobs=1)
    ranker.fit(fold.train.X, fold.train.y, fold.train.qid, **validation)
    seconds = time.perf_counter() - started
    history = getattr(ranker, "history_", {})
    compile_seconds = sum(history.get("compile_seconds", [np.nan]))
    return _Fit(
        valid=ranker.predict(fold.valid.X, fold.valid.qid),
        test=ranker.predict(fold.test.X, fold.test.qid),
        seconds=seconds - np.nan_to_num(compile_seconds),
        compile_seconds=compile_seconds,
    )


def _per_query(
    measures: Sequence[Metric], data: RankingData, scores: FloatArray
) -> FloatArray:
    """Metrics of each query, shape (n_queries, n_metrics)."""
    queries = group_queries(data.qid, len(data.y))
    columns = [measure.per_query(data.y, scores, queries) for measure in measures]
    return np.stack(columns, axis=1)


def _random_order(measures: Sequence[Metric], data: RankingData) -> FloatArray:
    """Expected metrics of a random order, shape (n_queries, n_metrics)."""
    averaged = [measure.with_averaged_ties() for measure in measures]
    return _per_query(averaged, data, np.zeros(len(data.y)))


def _concatenate(parts: Sequence[RankingData]) -> RankingData:
    """Concatenate data sets; a qid in two of them stays two queries."""
    codes, n_queries = [], 0
    for part in parts:
        queries = group_queries(part.qid, len(part.y))
        codes.append(queries.codes + n_queries)
        n_queries += queries.n_lists
    return RankingData(
        X=np.concatenate([part.X for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        qid=np.concatenate(codes),
        feature_names=parts[0].feature_names,
        description=parts[0].description,
    )
