"""What the processes of a fit find out together, each from lists of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from ltr.metrics import Metric
from ltr.metrics.averages import mean_of
from ltr.metrics.labels import check_metric_takes_labels
from ltr.queries import BoolArray, FloatArray, IntArray, Queries, group_queries
from ltr.rankers.inputs import NO_ORDER, TrainingSet
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.identity import NO_PART, text_of
from ltr.rankers.sparse_features import is_sparse
from ltr.rankers.validation import (
    EarlyStopping,
    ValidationRows,
    hold_out_lists,
    metrics_of,
    none_counts,
    rows_of_lists,
    rows_passed,
    takes_weights,
    validation_rows,
    with_list_weight,
)
from ltr.rankers.warning import warn
from ltr.scorers import Scorer
from ltr.training.devices import find_mesh
from ltr.training.hosts import Hosts

ScoreItems = Callable[[FittedScorer, NDArray[Any], Queries], FloatArray]
_SHOWN = 60  # characters of a parameter in a message


def find_hosts(devices: Any, X: Any) -> Hosts:
    """The processes that take part in a fit with these devices.

    Parameters
    ----------
    devices : None, "all", int or Mesh
        Parameter of the ranker.
    X : object
        Features as the user passed them.

    Returns
    -------
    hosts : Hosts

    Raises
    ------
    ValueError
        In all processes if one of them has no rows.

    Warns
    -----
    UserWarning
        If there are several processes, and nothing says that each trains a ranker of
        its own.

    Examples
    --------
    >>> find_hosts(None, [[1.0]]).n
    1
    """
    if devices is None and jax.process_count() > 1:
        warn(
            f"jax.distributed connects {jax.process_count()} processes, and with "
            "devices=None each of them trains a ranker of its own, on its own lists. "
            "Set devices='all' in all of them to train one ranker on the lists of all, "
            "or devices=1 if that is what you want."
        )
    hosts = Hosts(find_mesh(devices))
    stage = "at the beginning of fit, which all must call with the same devices"
    with hosts.alive(stage), hosts.together():
        _check_rows(hosts, X)
    return hosts


def check_one_process(devices: Any, method: str) -> None:
    """Raise if a method that knows only its own lists would train with others."""
    hosts = Hosts(find_mesh(devices))
    if hosts.n > 1:
        raise ValueError(
            f"{method} trains in one process; devices={devices!r} are those of "
            f"{hosts.n}. Use fit, with the lists that each of them has in memory, or "
            "set devices=1 for a ranker in each process."
        )


def check_table(hosts: Hosts, features: Any) -> None:
    """Raise if several processes would train on features that are no array."""
    if hosts.n > 1 and not isinstance(features, np.ndarray):
        kind = "a sparse matrix" if is_sparse(features) else "query_features"
        raise TypeError(
            f"X must be an array of all features to train in {hosts.n} processes; got "
            f"{kind}. Pass X.toarray(), or the columns of a query in each of its rows; "
            "or train in one process."
        )


def check_same_call(
    hosts: Hosts,
    ranker: Any,
    data: TrainingSet,
    validation: TrainingSet | None,
    start: Any,
) -> None:
    """Raise in all processes unless they have called ``fit`` in the same way.

    Parameters
    ----------
    hosts : Hosts
        The processes.
    ranker : GradientRanker
        Its parameters, and the names of its columns.
    data : TrainingSet
        Own training rows.
    validation : TrainingSet or None
        Own validation rows.
    start : LearnedState or None
        State from which training begins.
    """
    if hosts.n == 1:
        return
    parameters = ranker.get_params(False)
    facts = {
        name: (_hash(text_of(value)), _shown(value))
        for name, value in sorted(parameters.items())
        if name not in NO_PART
    }
    seed = parameters.get("random_state")
    if isinstance(seed, (int, np.integer)):
        facts["random_state"] = (str(int(seed)), str(int(seed)))
    columns = ["sample_weight"] * (data.weights is not None)
    columns += ["query_weight"] * (data.list_weights is not None)
    columns += [*data.extras, *["pair_features"] * (data.pairs is not None)]
    columns += ["X_val"] * (validation is not None)
    others = {
        "number of features": str(data.X.shape[1]),
        "further columns": ", ".join(columns) or "none",
        "versions": f"ltr {version('ltr')}, jax {jax.__version__}",
    }
    if data.pairs is not None:
        others["number of pair features"] = str(data.pairs.n_features)
    facts |= {name: (text, text) for name, text in others.items()}
    names = getattr(ranker, "feature_names_in_", ranker._column_names)
    names = None if names is None else [*names]
    facts["columns of X"] = _hash(repr(names)), _shown(names)
    leaves = jax.tree.leaves((start.params, start.last_params)) if start else []
    state = hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves))
    shown = f"those of {state.hexdigest()[:8]}" if start else "none"
    hosts.check_same(facts | {"weights to go on from": (shown, shown)})


def warn_if_none_has_order(hosts: Hosts, data: TrainingSet) -> None:
    """Warn if no list of any process has two distinct labels."""
    if not hosts.any(bool(data.informative_lists("two_labels").any())):
        warn(NO_ORDER)


def draw_held_out(
    hosts: Hosts,
    stopping: EarlyStopping,
    y: FloatArray,
    informative: BoolArray,
    rng: np.random.Generator,
) -> BoolArray:
    """Lists of all processes to hold out, see :func:`hold_out_lists`.

    Parameters
    ----------
    hosts : Hosts
        The processes.
    stopping : EarlyStopping
        Whether to hold lists out, and what share.
    y : float array of shape (n_samples,)
        Own labels.
    informative : bool array of shape (n_lists,)
        Own lists from which something can be learned.
    rng : numpy Generator
        In the same state in all processes.

    Returns
    -------
    held_out : bool array of shape (total number of lists,)
    """
    extremes = hosts.concatenated(np.array([y.min(), y.max()]))
    return hold_out_lists(stopping, extremes, hosts.concatenated(informative), rng)


def pooled_validation(
    hosts: Hosts,
    data: TrainingSet,
    held_out: BoolArray,
    validation: TrainingSet | None,
    stopping: EarlyStopping,
    *,
    n_held_out: int,
) -> ValidationRows | None:
    """Own rows to validate on, see :func:`validation_rows`; None if nobody has any."""
    if hosts.n == 1:
        return validation_rows(data, held_out, validation, stopping)
    if validation is None and not n_held_out:
        return validation_rows(data, held_out, None, stopping)
    if validation is not None:
        own = rows_passed(validation)
    else:
        counts = with_list_weight(data, held_out)
        if not hosts.any(bool(counts.any())):
            raise none_counts(n_held_out)
        own = rows_of_lists(data, counts)
    measures = stopping.measures()
    with hosts.together():
        for measure in measures:
            if len(own.y):
                check_metric_takes_labels(measure, own.y)
    values = pooled_metrics(hosts, measures, own, np.zeros(len(own.y)))
    for measure in measures:
        if np.isnan(values[measure.name]):
            raise ValueError(
                f"metric={measure.name!r} must be defined on at least one validation "
                f"query of the {hosts.n} processes; got none with {measure.info.needs}."
                " Choose other queries."
            )
    return own


def pooled_metrics(
    hosts: Hosts,
    measures: Sequence[Metric],
    rows: ValidationRows,
    scores: FloatArray,
) -> dict[str, float]:
    """Means over the validation lists of all processes, the same bits in each.

    Parameters
    ----------
    hosts : Hosts
        The processes.
    measures : sequence of Metric
        What to measure; one of the user's own is averaged over its values per query.
    rows : ValidationRows
        Own rows.
    scores : float array of shape (n_val,)
        Their scores.

    Returns
    -------
    values : dict of str to float
    """
    if hosts.n == 1:
        return metrics_of(measures, rows, scores)
    means, weights = {}, None
    if rows.query_weight is not None:
        weights = hosts.concatenated(rows.query_weight[rows.queries.first_rows()])
    for measure in measures:
        options = {k: v for k, v in measure.options.items() if k != "mean"}
        single = Metric(measure.name, measure.function, options)
        own = np.zeros(0)
        with hosts.together():
            if len(scores):
                own = single.per_query(rows.y, scores, rows.queries)
        means[measure.name] = mean_of(
            hosts.concatenated(own),
            measure.mean,
            weights if takes_weights(measure) else None,
        )
    return means


def validation_metrics(
    scorer: Scorer,
    rows: ValidationRows | None,
    stopping: EarlyStopping,
    score_items: ScoreItems,
    hosts: Hosts | None = None,
) -> Callable[[Any], dict[str, float]] | None:
    """Parameters → metrics on fixed scaled rows, by the code that ``score`` uses."""
    if rows is None:
        return None
    measures, all_hosts = stopping.measures(), hosts or Hosts()

    def validate(params: Any) -> dict[str, float]:
        fitted = FittedScorer(scorer, params, None, rows.pairs)
        scores = score_items(fitted, rows.X, rows.queries)
        return pooled_metrics(all_hosts, measures, rows, scores)

    return validate


def pooled_rows(hosts: Hosts, rows: ValidationRows) -> ValidationRows:
    """Validation rows of all processes, in the order of their numbers."""
    if hosts.n == 1:
        return rows
    pairs = rows.pairs
    if pairs is not None:
        from ltr.training.pair_table import PairTable

        tables = [
            PairTable(*columns)
            for columns in zip(*map(hosts.gathered, pairs), strict=True)
        ]
        pairs = tables[0]
        for table in tables[1:]:
            pairs = pairs.joined(table)
    weights = rows.query_weight
    return ValidationRows(
        hosts.concatenated(np.asarray(rows.X)),
        hosts.concatenated(rows.y),
        pooled_queries(hosts, rows.queries.codes),
        pairs,
        None if weights is None else hosts.concatenated(weights),
    )


def pooled_queries(hosts: Hosts, codes: IntArray) -> Queries:
    """Queries of the rows of all processes: no two of them share one."""
    n_before, parts = 0, []
    for part in hosts.gathered(np.asarray(codes, dtype=np.int64)):
        parts.append(part + n_before)
        n_before += int(part.max(initial=-1)) + 1
    pooled = np.concatenate(parts)
    return group_queries(pooled, len(pooled))


def _check_rows(hosts: Hosts, X: Any) -> None:
    """Raise if this process has no rows, where others may have some."""
    if hosts.n > 1 and getattr(X, "shape", (None,))[0] == 0:
        raise ValueError(
            f"X must have at least one list in every process; process {hosts.index} of "
            f"{hosts.n} has no rows. Share the lists out evenly, or start fewer "
            "processes."
        )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
