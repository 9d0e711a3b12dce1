"""Parameters of saved blends: rankers within rankers, and splitters, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ltr.model_selection import QueryKFold
from ltr.rankers.base import BaseRanker
from ltr.rankers.blend import StackingRanker
from ltr.rankers.blend.members import BlendRanker, n_columns_of
from ltr.rankers.blend.numeric import NumericRanker
from ltr.rankers.constrained import ConstrainedRanker
from ltr.rankers.saved_fields import check_count
from ltr.rankers.saved_values import decode, encode

Classes = Mapping[str, type[BaseRanker]]


def encode_parameter(name: str, value: Any, classes: Classes) -> Any:
    """A parameter as JSON, with rankers and their parameters.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    value : object
        Its value: as :func:`ltr.rankers.saved_values.encode` takes it, a ranker, a
        QueryKFold, or a list of pairs of a name and a ranker.
    classes : mapping of str to type
        Classes of rankers that can be saved.

    Returns
    -------
    value : object
        For :func:`json.dumps`.

    Raises
    ------
    ValueError
        If it cannot be written without code.
    """
    if isinstance(value, BaseRanker) and classes.get(type(value).__name__) is type(
        value
    ):
        return {
            "ranker": type(value).__name__,
            "parameters": encode_parameters(value, classes),
        }
    if type(value) is QueryKFold:
        options = {key: encode(key, option) for key, option in vars(value).items()}
        return {"query_k_fold": options}
    if isinstance(value, (list, tuple)) and value and all(map(_is_pair, value)):
        return {
            "pairs": [
                [encode(name, key), encode_parameter(f"{name}: {key!r}", item, classes)]
                for key, item in value
            ]
        }
    if hasattr(value, "fit") and not isinstance(value, type):
        raise ValueError(
            f"{name} must be a ranker that save_ranker takes; got {value!r:.100}. "
            "Leave it out of the blend, or pickle the blend."
        )
    return encode(name, value)


def encode_parameters(ranker: BaseRanker, classes: Classes) -> dict[str, Any]:
    """All parameters of a ranker as JSON, see :func:`encode_parameter`.

    Callbacks and devices are left out: they belong to a fit, and to a machine.
    """
    parameters = ranker.get_params(deep=False)
    for name in ("callbacks", "devices"):
        if name in parameters:
            parameters[name] = None
    return {
        key: encode_parameter(key, value, classes) for key, value in parameters.items()
    }


def decode_parameter(
    name: str, value: Any, make: Callable[[Any, Any], BaseRanker]
) -> Any:
    """Reverse :func:`encode_parameter`.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    value : object
        From JSON.
    make : callable
        Name of a class and its parameters → ranker, with checks of both.

    Returns
    -------
    value : object

    Raises
    ------
    ValueError
        If it is not what :func:`encode_parameter` makes.
    """
    keys = set(value) if isinstance(value, dict) else set()
    if keys == {"ranker", "parameters"}:
        return make(value["ranker"], value["parameters"])
    if keys == {"query_k_fold"}:
        return _splitter(name, value["query_k_fold"])
    if keys == {"pairs"}:
        pairs = value["pairs"]
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and len(pair) == 2 for pair in pairs
        ):
            raise ValueError(f"{name} must be a list of pairs; got {pairs!r:.100}.")
        return [(key, decode_parameter(name, item, make)) for key, item in pairs]
    return decode(name, value)


def _is_pair(item: Any) -> bool:
    is_pair = isinstance(item, (list, tuple)) and len(item) == 2
    is_dropped = is_pair and isinstance(item[1], str) and item[1] == "drop"
    return is_dropped or (is_pair and hasattr(item[1], "fit"))


def _splitter(name: str, options: Any) -> QueryKFold:
    if not isinstance(options, dict) or set(options) != set(vars(QueryKFold())):
        raise ValueError(
            f"{name} must have the parameters of a QueryKFold; got {options!r:.100}."
        )
    return QueryKFold(**options)


def fitted_members(ranker: BaseRanker) -> list[BaseRanker]:
    """The fitted rankers that a ranker is made of; none for most.

    Parameters
    ----------
    ranker : ranker
        Fitted.

    Returns
    -------
    members : list of ranker
        Of a blend its members, then the final ranker, if it has one.
    """
    if isinstance(ranker, NumericRanker):
        return [ranker.ranker_]
    if isinstance(ranker, ConstrainedRanker):
        return [getattr(ranker, "ranker_", ranker.ranker)]
    if isinstance(ranker, StackingRanker):
        return [*ranker.rankers_, ranker.final_ranker_]
    return list(ranker.rankers_) if isinstance(ranker, BlendRanker) else []


def set_members(ranker: BaseRanker, members: list[BaseRanker]) -> None:
    """Give a ranker its fitted members, see :func:`fitted_members`.

    Parameters
    ----------
    ranker : ranker
        With the attributes of ``fit``, but without members.
    members : list of ranker
        Fitted.

    Raises
    ------
    ValueError
        If they do not fit the ranker, or each other.
    """
    others = [member for member in members if not isinstance(member, BaseRanker)]
    if others:
        raise ValueError(
            f"the saved blend must have rankers as members; got "
            f"{type(others[0]).__name__}. Save it again."
        )
    if isinstance(ranker, NumericRanker):
        check_count(len(members), 1, "members")
        check_count(
            members[0].n_features_in_, len(ranker.columns_), "columns of a member"
        )
        ranker.ranker_ = members[0]
        return
    if isinstance(ranker, ConstrainedRanker):
        check_count(len(members), 1, "members")
        ranker.set_fitted(members[0])
        return
    if not isinstance(ranker, BlendRanker):
        check_count(len(members), 0, "members")
        return
    n_members = len(ranker._names)
    if isinstance(ranker, StackingRanker):
        final = members.pop() if members else None
        check_count(getattr(final, "n_features_in_", 0), n_members, "scores to stack")
        ranker.final_ranker_ = final
    check_count(len(members), n_members, "members")
    weights = getattr(ranker, "_weights", None)
    if weights is not None:
        check_count(len(weights), n_members, "weights")
    n_columns = n_columns_of(members)
    for member in members:
        check_count(n_columns_of([member]), n_columns, "columns of a member")
    ranker.rankers_ = members
