"""Features of pairs: what a user's function returns or a call passes, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ltr.arguments import ArgumentError
from ltr.memory import check_memory
from ltr.queries import FloatArray, IntArray, Queries
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.validation import errors_in_validation_set
from ltr.training.pair_table import PairScaling, PairTable

PairFunction = Callable[[FloatArray], ArrayLike]
_RTOL = 1e-5  # functions may compute in single precision
_COPIES = 3  # of the table: as passed, scaled, on the device


def check_function(function: object) -> None:
    """Raise unless the parameter ``pair_features`` of a ranker is valid."""
    if function is not None and not callable(function):
        raise ArgumentError(
            "pair_features must be a function of the features of a list, or None; got "
            f"{type(function).__name__}. Pass arrays to fit and predict: "
            "ranker.fit(X, y, qid, pair_features=arrays)."
        )
    if callable(function):
        _check_takes_a_list(function)


def _check_takes_a_list(function: Callable[..., Any]) -> None:
    """Raise if a function cannot be called with one array."""
    try:
        arguments = inspect.signature(function)
    except (TypeError, ValueError):  # of compiled functions: the call tells
        return
    try:
        arguments.bind(None)
    except TypeError as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise ArgumentError(
            "pair_features must be a function of one array, the features of a list, "
            "(n, n_features), that returns (n, n) or (n, n, n_pair_features); got "
            f"{name}{arguments}: {error}. Bind the other arguments with "
            "functools.partial, or give them defaults."
        ) from None


def training_pairs(
    function: PairFunction | None,
    arrays: Sequence[ArrayLike] | None,
    data: TrainingSet,
    n_features: int | None,
) -> TrainingSet:
    """Add the features of pairs to training data.

    Parameters
    ----------
    function : callable or None
        Features of a list, (n, n_features) to (n, n, n_pair_features) or (n, n).
    arrays : sequence of arrays or None
        One per list, in place of the function.
    data : TrainingSet
        Training rows.
    n_features : int or None
        Features of a pair in the fit that goes on. None: it is the first.

    Returns
    -------
    data : TrainingSet
        The same if there is neither function nor arrays.

    Raises
    ------
    ValueError
        If there is not one array per query; one has another shape, another number of
        features, or a value that is not finite; or the function depends on the order
        of the rows.
    MemoryError
        If all of them need more memory than there is.
    """
    table = _pair_table(function, arrays, data, n_features)
    if n_features and table is None:
        raise ValueError(
            f"pair_features must have {n_features} features of each pair, as in the "
            "first fit; got none. Pass them, or fit with warm_start=False."
        )
    if table is not None and function is not None and arrays is None:
        _check_equivariance(function, table, data.X, data.queries)
    return replace(data, pairs=table)


def validation_pairs(
    function: PairFunction | None,
    arrays: Sequence[ArrayLike] | None,
    validation: TrainingSet | None,
    training: PairTable | None,
) -> TrainingSet | None:
    """Add the features of pairs to validation data, if there is any.

    Parameters
    ----------
    function, arrays
        As for :func:`training_pairs`.
    validation : TrainingSet or None
        Validation rows.
    training : PairTable or None
        Features of the pairs of the training data.

    Returns
    -------
    validation : TrainingSet or None

    Raises
    ------
    ValueError
        If they are missing, unexpected or invalid.
    """
    if arrays is not None and (validation is None or training is None):
        missing = "X_val and y_val" if validation is None else "pair_features"
        raise ValueError(
            f"pair_features_val needs {missing}, too; got none. Pass them together."
        )
    if validation is None or training is None:
        return validation
    if function is None and arrays is None:
        raise ValueError(
            "pair_features_val is required because pair_features are arrays. Pass one "
            "array per query of X_val."
        )
    with errors_in_validation_set():
        table = _pair_table(function, arrays, validation, training.n_features)
    return replace(validation, pairs=table)


def _pair_table(
    function: PairFunction | None,
    arrays: Sequence[ArrayLike] | None,
    data: TrainingSet,
    width: int | None,
) -> PairTable | None:
    """Features of all pairs; None if there is neither function nor array."""
    if function is None and arrays is None:
        return None
    if width == 0:
        raise ValueError(
            "pair_features must be None to go on with a ranker that was fitted without "
            "them. Leave them out, or fit with warm_start=False."
        )
    queries = data.queries
    lists: list[FloatArray] = []
    origin = "for the first query" if width is None else "in fit"
    for number, feature in enumerate(_arrays(function, arrays, data.X, queries)):
        pairs = _checked(feature, queries, number, width, origin)
        if not lists:
            width = pairs.shape[-1]
            check_memory(
                _COPIES * 8.0 * width * float((queries.sizes.astype(float) ** 2).sum()),
                f"{width} features of all pairs of {queries.n_lists} lists",
                "Pass fewer features, or fewer items per list.",
            )
        lists.append(pairs)
    return PairTable.of_lists(lists, queries)


def _check_equivariance(
    function: PairFunction, table: PairTable, X: NDArray[Any], queries: Queries
) -> None:
    """Raise unless permuting the rows of the longest list permutes its features."""
    longest = int(queries.sizes.argmax())
    rows = queries.order[queries.starts[longest] : queries.starts[longest + 1]]
    permuted = np.random.default_rng(0).permutation(len(rows))
    if len(rows) > 1 and (permuted == np.arange(len(rows))).all():
        permuted = permuted[::-1]
    expected = table.block(rows[permuted][None])[0]  # (n, n, k)
    actual = _checked(
        function(_rows_of(X, rows[permuted])), queries, longest, table.n_features
    )
    scale = np.abs(expected).max(axis=(0, 1), initial=0.0)
    differs = ~(np.abs(actual - expected) <= _RTOL * scale)
    if differs.any():
        i, j, feature = np.argwhere(differs)[0]
        raise ValueError(
            "pair_features must not depend on the order of the rows: permuting the "
            "items of a list must permute rows and columns of its result. Got "
            f"{expected[i, j, feature]:.6g} for feature {feature} of items "
            f"{permuted[i]} and {permuted[j]} of query "
            f"{_query_id(queries, longest)!r}, but {actual[i, j, feature]:.6g} when "
            f"its rows come as {permuted.tolist()!r:.100}. Compute result[i, j] from "
            "X_list[i], X_list[j] and the set of all items, not from i and j."
        )


class ComputedPairs(NamedTuple):
    """Scaled features of pairs, computed when a block of lists is scored.

    Attributes
    ----------
    function : callable
        Features of a list.
    X : array of shape (n_samples, n_features)
        Features, not scaled.
    queries : Queries
        Query of each row.
    n_features : int
        Number of features of a pair.
    scaling : PairScaling or None
        What they go through.
    """

    function: PairFunction
    X: NDArray[Any]
    queries: Queries
    n_features: int
    scaling: PairScaling | None

    def block(self, rows: IntArray) -> FloatArray:
        """Features of all pairs of lists, (b, n) to (b, n, n, k)."""
        features = np.stack([self._of_list(own_rows) for own_rows in rows])
        return features if self.scaling is None else self.scaling.transform(features)

    def _of_list(self, rows: IntArray) -> FloatArray:
        number = int(self.queries.codes[rows[0]])
        feature = self.function(_rows_of(self.X, rows))
        return _checked(feature, self.queries, number, self.n_features)


def pair_source(
    function: PairFunction | None,
    arrays: Sequence[ArrayLike] | None,
    X: NDArray[Any],
    queries: Queries,
    n_features: int,
    scaling: PairScaling | None,
) -> PairTable | ComputedPairs | None:
    """Features of the pairs of lists to be ranked.

    Parameters
    ----------
    function, arrays, X, queries
        As for :func:`pair_table`.
    n_features : int
        Features of a pair in ``fit``.
    scaling : PairScaling or None
        What they go through.

    Returns
    -------
    source : object or None
        With ``block(rows)``; None if the ranker was fitted without features of pairs.

    Raises
    ------
    ValueError
        If they are missing, unexpected or invalid.
    """
    if not n_features:
        if arrays is not None:
            raise ValueError(
                "pair_features must be None for a ranker that was fitted without them; "
                "got arrays. Leave them out, or fit with them."
            )
        return None
    if arrays is not None:
        lists = [
            _checked(feature, queries, number, n_features)
            for number, feature in enumerate(_arrays(None, arrays, X, queries))
        ]
        if not lists:
            return None
        return PairTable.of_lists(lists, queries).scaled(scaling)
    if function is None:
        raise ValueError(
            "pair_features is required because the ranker was fitted with arrays of "
            f"{n_features} features of each pair. Pass one array of shape (n, n, "
            f"{n_features}) per query: pair_features=arrays."
        )
    return ComputedPairs(function, X, queries, n_features, scaling)


def _arrays(
    function: PairFunction | None,
    arrays: Sequence[ArrayLike] | None,
    X: NDArray[Any],
    queries: Queries,
) -> Iterator[ArrayLike]:
    """What there is for each list, not checked; arrays come before the function."""
    if arrays is not None:
        try:
            n_arrays = len(arrays)
        except TypeError:
            n_arrays = -1
        if isinstance(arrays, (str, dict)) or n_arrays != queries.n_lists:
            kind = type(arrays).__name__
            outcome = kind if n_arrays < 0 else f"{n_arrays} in a {kind}"
            raise ValueError(
                "pair_features must be a list of arrays, one per query by first "
                f"appearance, {queries.n_lists} in all; got {outcome}. Where rows are "
                "split, as in cross-validation, set the parameter pair_features to a "
                "function instead."
            )
        yield from arrays
    elif function is not None:
        for rows in np.split(queries.order, queries.starts[1:-1]):
            yield function(_rows_of(X, rows))


def _rows_of(X: NDArray[Any], rows: IntArray) -> FloatArray:
    """A copy, which the function may change."""
    return np.array(X[rows], dtype=np.float64)


def _checked(
    features: ArrayLike,
    queries: Queries,
    number: int,
    n_features: int | None,
    origin: str = "in fit",
) -> FloatArray:
    """Features of a list as (n, n, n_features), 0 on the diagonal, or an error."""
    size = int(queries.sizes[number])
    items = f"the {size} items of query {_query_id(queries, number)!r}"
    if np.ma.is_masked(features) or np.iscomplexobj(features):
        kind = "masked" if np.ma.is_masked(features) else "complex"
        raise ValueError(
            f"pair_features must be real numbers, none of them masked, for {items}; "
            f"got a {kind} array. Fill it, or take its real part."
        )
    try:
        array = np.array(features, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"pair_features must be numbers of shape ({size}, {size}, n_pair_features) "
            f"for {items}; got {type(features).__name__} ({error})."
        ) from error
    pairs = array[..., None] if array.ndim == 2 else array
    if pairs.ndim != 3 or pairs.shape[:2] != (size, size) or pairs.shape[2] == 0:
        raise ValueError(
            f"pair_features must have shape ({size}, {size}, n_pair_features) or "
            f"({size}, {size}) for {items}; got shape {array.shape}."
        )
    if n_features is not None and pairs.shape[2] != n_features:
        raise ValueError(
            f"pair_features must have {n_features} feature{'s' * (n_features > 1)} "
            f"of each pair, as {origin}; got {pairs.shape[2]} for {items}."
        )
    pairs[np.arange(size), np.arange(size)] = 0.0  # no item follows itself
    bad = ~np.isfinite(pairs)
    if bad.any():
        i, j, feature = np.argwhere(bad)[0]
        raise ValueError(
            f"pair_features must be finite off the diagonal; got "
            f"{pairs[i, j, feature]:g} for feature {feature} of items {i} and {j} "
            f"of {items}."
        )
    return pairs


def _query_id(queries: Queries, number: int) -> Any:
    (query_id,) = queries.ids[number : number + 1].tolist()
    return query_id
