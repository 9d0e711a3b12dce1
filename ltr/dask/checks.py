"""What a fit on a cluster does not take."""

from __future__ import annotations

from typing import Any

from ltr.rankers.trees.parameters import is_forest


def check_no_query_features(*tables: Any) -> None:
    """Raise if there are features of queries."""
    if any(table is not None for table in tables):
        raise ValueError(
            "query_features is for tables in memory; got some with Dask arrays. Join "
            "them to X beforehand, as ltr.rankers.join_query_features does."
        )


def check_cluster(
    params: dict[str, Any], parameters: dict[str, Any], stops: bool
) -> None:
    """Raise if a parameter asks for what only one machine does.

    Parameters
    ----------
    params : dict
        LightGBM's parameters.
    parameters : dict
        Of the ranker.
    stops : bool
        Whether the trees stop early.
    """
    if parameters["warm_start"]:
        raise ValueError(
            "warm_start goes on in memory only. Fit all n_estimators at once, or go on "
            "with to_local()."
        )
    for name in ("refit", "metrics", "callbacks"):
        if parameters[name]:
            raise ValueError(
                f"{name} is for one machine; got {name}={parameters[name]!r} on a "
                "cluster. Leave it out, or use LambdaMARTRanker."
            )
    kind = params.get("boosting")
    if stops and (is_forest(params) or kind == "dart"):
        raise ValueError(
            f"boosting={kind!r} changes or averages earlier trees, so it cannot stop "
            "early in rounds. Leave out X_val and early_stopping."
        )


def check_widths(widths: set[int]) -> None:
    """Raise unless pieces of rows have one number of columns."""
    if len(widths) > 1:
        raise ValueError(
            "X must have the same number of columns in all pieces; got pieces of "
            f"{', '.join(map(str, sorted(widths)))}."
        )
