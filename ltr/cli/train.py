"""The commands ``ltr train`` and ``ltr predict``."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ltr.arguments import suggest
from ltr.cli.compare import RANKERS, keep_programs, write
from ltr.cli.data import (
    FILES,
    add_data_options,
    add_query_weight_option,
    add_sparse_option,
    features,
    load,
    row_weights,
)
from ltr.compare.rankers import make_ranker
from ltr.datasets import RankingData, describe
from ltr.files import check_parent, check_target
from ltr.metrics import get_metric
from ltr.rankers import AutoRanker, load_ranker, save_ranker


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ltr train`` to a parser.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.
    """
    parser.add_argument("data", nargs="+", help=FILES)
    parser.add_argument("--model", required=True, help="folder to write")
    parser.add_argument("--ranker", default="auto", help=RANKERS)
    parser.add_argument(
        "--metric",
        help="metric of early stopping and of the best score, such as map or "
        "'ndcg(gain=linear)@10' for labels that are not grades (default: that of the "
        "ranker, ndcg@10)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of the ranker, such as num_leaves=31, "
        "hidden_layer_sizes=[64,32] or early_stopping=false; may be repeated",
    )
    parser.add_argument(
        "--valid",
        help="file for early stopping, and to compare the members of auto (default: a "
        "tenth or a fifth of the queries, if there are enough)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed")
    add_data_options(parser)
    add_sparse_option(parser)
    add_query_weight_option(parser, "in the fit")
    parser.set_defaults(run=_train)


def add_predict_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ltr predict`` to a parser.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of the command.
    """
    parser.add_argument("data", nargs="+", help=f"{FILES}; tables need no labels")
    parser.add_argument("--model", required=True, help="folder of a saved ranker")
    parser.add_argument(
        "--out", help="file for the scores, one per row (default: print them)"
    )
    add_data_options(parser)
    add_sparse_option(parser)
    parser.set_defaults(run=_predict)


def _train(options: argparse.Namespace) -> int:
    check_parent(options.model)
    keep_programs()
    ranker = make_ranker(options.ranker)
    options.settings = set(ranker.get_params())
    ranker.set_params(**_parameters(options, ranker))
    if options.valid and "X_val" not in inspect.signature(ranker.fit).parameters:
        raise ValueError(
            f"--valid needs a ranker with early stopping; {options.ranker} has none. "
            "Drop the option."
        )
    if (
        options.query_weight
        and "query_weight" not in inspect.signature(ranker.fit).parameters
    ):
        raise ValueError(
            f"--query-weight needs a ranker that takes weights; {options.ranker} does "
            "not. Drop the option."
        )
    data = load(options.data, options)
    keywords: dict[str, Any] = {}
    if options.query_weight:
        keywords["query_weight"] = row_weights(data, options)
    if options.valid:
        if data.zero_based is False and load(options.valid, options).zero_based:
            options.zero_based = True  # an index 0 in one of the files holds for both
            data = load(options.data, options)
        valid = load(options.valid, options, _Columns(data))
        _warn_of_shared_queries(data, valid)
        keywords |= {"X_val": features(valid), "y_val": valid.y, "qid_val": valid.qid}
    ranker.fit(features(data), data.y, data.qid, **keywords)
    if data.zero_based is not None:
        ranker._zero_based = data.zero_based
    save_ranker(ranker, options.model)
    print(f"{ranker} fitted on {data.n_queries} queries, saved to {options.model}")
    if isinstance(ranker, AutoRanker):
        table = ranker.leaderboard_.drop(columns="seconds")
        source = options.valid or "held-out queries"
        print(f"{ranker.metric_} on {source}, with 95 % intervals:")
        print(table.to_string(float_format="{:.4f}".format, index_names=False))
    best = getattr(ranker, "best_score_", float("nan"))
    if not np.isnan(best):
        source = options.valid or "held-out queries"
        print(f"best {ranker.metric} on {source}: {best:.4f}")
    return 0


class _Columns:
    """What a file of validation queries must have: the columns of the training data."""

    def __init__(self, data: Any) -> None:
        self.n_features_in_ = data.X.shape[1]
        self._zero_based = data.zero_based
        if data.feature_names is not None:
            self.feature_names_in_ = data.feature_names


def _warn_of_shared_queries(train: RankingData, valid: RankingData) -> None:
    """Warn if queries, by their rows, train and validate."""
    n_shared = describe(valid, other=train).repeated_lists
    if n_shared:
        warnings.warn(
            f"{n_shared} of {valid.n_queries} queries of --valid are also in the "
            "training data, row by row: early stopping cannot see overfitting on them. "
            "Validate on other queries.",
            UserWarning,
            stacklevel=2,
        )


def _parameters(options: argparse.Namespace, ranker: Any) -> dict[str, Any]:
    """Parameters of the ranker from the options."""
    defaults = ranker.get_params()
    parameters: dict[str, Any] = {
        "random_state": options.seed,
        "verbose": 0 if options.quiet else 1,
        "n_jobs": options.jobs,
    }
    parameters = {k: v for k, v in parameters.items() if k in defaults}
    if options.metric is not None:
        if "metric" not in defaults:
            raise ValueError(f"--metric: {options.ranker} has no metric.")
        get_metric(options.metric)
        parameters["metric"] = options.metric
    return parameters | settings(options.set, defaults, options.ranker)


def settings(
    words: Sequence[str], defaults: dict[str, Any], ranker: str
) -> dict[str, Any]:
    """Parameters from words ``name=value``.

    Parameters
    ----------
    words : sequence of str
        Values are JSON or Python's literals; anything else is text.
    defaults : dict
        Parameters of the ranker.
    ranker : str
        Its name, for messages.

    Returns
    -------
    parameters : dict

    Raises
    ------
    ValueError
        If a word has no ``=``, or the ranker no such parameter.

    Examples
    --------
    >>> defaults = {"loss": "listnet", "hidden_layer_sizes": (128, 64), "tol": None}
    >>> settings(["loss=pld", "hidden_layer_sizes=[8]", "tol=1e-3"], defaults, "mlp")
    {'loss': 'pld', 'hidden_layer_sizes': (8,), 'tol': 0.001}
    """
    parameters = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip()
        if not equals:
            raise ValueError(f"--set must be NAME=VALUE; got {word!r}.")
        if name not in defaults:
            raise ValueError(
                f"--set {word}: {ranker} has no parameter {name!r}; it has "
                f"{', '.join(sorted(defaults))}.{_cure(name, defaults)}"
            )
        value = _literal(text.strip())
        is_tuple = isinstance(value, list) and isinstance(defaults[name], tuple)
        parameters[name] = tuple(value) if is_tuple else value
    return parameters


def _cure(name: str, defaults: dict[str, Any]) -> str:
    """What to do about a parameter that the ranker does not have."""
    if "members" in defaults and name in make_ranker("lambdamart").get_params():
        return " Did you mean --ranker lambdamart, which has it?"
    return suggest(name, defaults)


def _literal(text: str) -> Any:
    """Value of a JSON or Python literal; the text itself if it is neither."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _predict(options: argparse.Namespace) -> int:
    if options.out:
        check_target(options.out)
    ranker = load_model(options)
    data = load(options.data, options, ranker, needs_label=False)
    scores = ranker.predict(columns(ranker, data), data.qid)
    text = "".join(f"{score!r}\n" for score in scores.tolist())
    if options.out:
        write(options.out, text)
    else:
        sys.stdout.write(text)
    return 0


def load_model(options: argparse.Namespace) -> Any:
    """Load the ranker of ``--model``, to run on ``--jobs`` threads."""
    ranker = load_ranker(options.model)
    if not hasattr(ranker, "predict"):
        raise ValueError(
            f"{options.model} must hold a ranker of features; got a "
            f"{type(ranker).__name__}. Load it in Python, and call its predict_run."
        )
    if options.jobs is not None and "n_jobs" in ranker.get_params():
        ranker.set_params(n_jobs=options.jobs)
    return ranker


def columns(ranker: Any, data: Any) -> Any:
    """Features with the names that the ranker was fitted with, if it was with names."""
    names = getattr(ranker, "feature_names_in_", None)
    return data.X if names is None else features(data, names)
