"""The members of AutoRanker: their settings, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from ltr.arguments import ArgumentError, plain, suggest
from ltr.metrics.names import MetricLike
from ltr.rankers.blend.members import check_distinct
from ltr.rankers.blend.numeric import NumericRanker
from ltr.rankers.linear import LinearRanker
from ltr.rankers.neural import NeuralRanker
from ltr.rankers.trees.lambdamart import LambdaMARTRanker
from ltr.rankers.trees.parameters import GOOD_SETTINGS, ONE_THREAD_BELOW

MEMBERS = ("linear", "trees", "lambdamart", "ranknet")
# Queries that are enough for a network: with fewer, its member added noise.
RANKNET_QUERIES = 50
# Compiling the training step takes this long before the first epoch, on one core.
RANKNET_START_S = 8.0
# Of small data, the least leaf has the rows divided by this, since 50 may be all.
_LEAVES_OF_SMALL_DATA = 50


@dataclass(frozen=True)
class Member:
    """A ranker to be fitted.

    Attributes
    ----------
    name : str
        Its name in the blend.
    ranker : estimator
        Not fitted.
    is_optional : bool
        Whether it joins only if the blend is better with it on held-out queries.
    """

    name: str
    ranker: Any
    is_optional: bool = False


def make_members(
    members: Any,
    *,
    n_rows: int,
    n_values: int,
    metric: MetricLike,
    random_state: Any,
    n_jobs: int | None,
) -> list[Member]:
    """The members of the parameter ``members``, cheapest first.

    Parameters
    ----------
    members : "auto", sequence of str, or list of (str, estimator)
        Names of :data:`MEMBERS`, or rankers by name.
    n_rows, n_values : int
        Rows and feature values of the training data.
    metric : str
        Metric that fits the labels.
    random_state : int or None
        Seed of members without one of their own.
    n_jobs : int or None
        Threads of the trees. None: one for small data.

    Returns
    -------
    members : list of Member
    """
    pairs = check_members(members)
    if n_jobs is None and n_values < ONE_THREAD_BELOW:
        n_jobs = 1
    made = []
    for name, ranker in pairs:
        ranker = _make(name, n_rows, n_jobs) if ranker is None else clone(ranker)
        parameters = ranker.get_params(deep=True)
        seeds = [key for key in parameters if key.split("__")[-1] == "random_state"]
        seeds = [key for key in seeds if parameters[key] is None]
        metrics = [key for key in parameters if key.split("__")[-1] == "metric"]
        ranker.set_params(
            **dict.fromkeys(seeds, random_state), **dict.fromkeys(metrics, metric)
        )
        is_optional = isinstance(members, str) and name == "ranknet"
        made.append(Member(name, ranker, is_optional))
    return made


def check_members(members: Any) -> list[tuple[str, Any]]:
    """Names and rankers of the parameter ``members``; None for those made here.

    Parameters
    ----------
    members : object
        The parameter.

    Returns
    -------
    pairs : list of (str, estimator or None)

    Raises
    ------
    ArgumentError
        If it is something else, or a name is unknown or repeated.
    """
    if isinstance(members, str) and members == "auto":
        return [(name, None) for name in MEMBERS]
    is_list = isinstance(members, Sequence) and not isinstance(members, str)
    pairs: list[tuple[str, Any]] = []
    for member in members if is_list else ():
        if isinstance(member, str):
            if member not in MEMBERS:
                raise ArgumentError(
                    f"members must be names of {', '.join(MEMBERS)}; got "
                    f"{plain(member)!r}.{suggest(member, MEMBERS)}"
                )
            pairs.append((member, None))
        elif isinstance(member, (tuple, list)) and len(member) == 2:
            pairs.append((member[0], member[1]))
    names = [name for name, _ in pairs]
    is_valid = is_list and len(pairs) == len(members) and len(pairs) > 0
    is_valid = is_valid and all(isinstance(name, str) for name in names)
    is_valid = is_valid and len({ranker is None for _, ranker in pairs}) == 1
    is_valid = is_valid and all(
        ranker is None or (hasattr(ranker, "predict") and not isinstance(ranker, type))
        for _, ranker in pairs
    )
    if is_valid:
        check_distinct("members", names)
    else:
        raise ArgumentError(
            "members must be 'auto', distinct names of "
            f"{', '.join(MEMBERS)}, or pairs (name, ranker); got {members!r:.200}."
        )
    return pairs


def _make(name: str, n_rows: int, n_jobs: int | None) -> Any:
    """A member by name, all of its settings stated."""
    if name == "linear":
        return NumericRanker(LinearRanker(preprocess="query"))
    if name == "ranknet":
        return NumericRanker(
            NeuralRanker(
                "ranknet",
                "mlp",
                hidden_layer_sizes=(32, 16),
                optimizer="adamw",
                learning_rate=0.001,
                weight_decay=1.0,
                batch_size=32,
                max_epochs=100,
                early_stopping="auto",
                validation_fraction=0.1,
                n_iter_no_change="auto",  # at least 200 steps: few lists are noisy
                preprocess="auto",
            )
        )
    rows_of_leaf = n_rows // _LEAVES_OF_SMALL_DATA
    return LambdaMARTRanker(
        "mse" if name == "trees" else "lambdarank",
        n_jobs=n_jobs,
        **GOOD_SETTINGS,
    ).set_params(
        min_child_samples=max(1, min(GOOD_SETTINGS["min_child_samples"], rows_of_leaf))
    )
