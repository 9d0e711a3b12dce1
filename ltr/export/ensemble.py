"""Trees of LightGBM as arrays, and thresholds in single precision."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ltr.arguments import ArgumentError
from ltr.queries import BoolArray, FloatArray, IntArray
from ltr.rankers import LambdaMARTRanker

# Whose score is the plain sum of the leaves: others go through a function at the end.
_PLAIN = {"custom", "lambdarank", "rank_xendcg", "regression", "regression_l1"}
_PLAIN |= {"fair", "huber", "mape", "quantile"}
# bits of decision_type; the two above are the missing type
_IS_SET, _DEFAULT_LEFT = 1, 2
NO_MISSING, ZERO_IS_MISSING, NAN_IS_MISSING = 0, 1, 2
ZERO = float(np.float32(1e-35))  # |x| <= ZERO counts as 0 in LightGBM
_LARGEST = float(np.finfo(np.float32).max)


class Tree(NamedTuple):
    """A tree with L leaves and L − 1 nodes, node 0 being the root.

    Attributes
    ----------
    feature : int array of shape (n_nodes,)
        Column that a node splits.
    threshold : float array of shape (n_nodes,)
        x goes left if x ≤ threshold.
    sets : list of int arrays or None, one a node
        Instead of a threshold: codes of the categories that go left.
    missing : int array of shape (n_nodes,)
        ``NO_MISSING``: NaN counts as 0; ``ZERO_IS_MISSING``: 0 and NaN go the default
        way; ``NAN_IS_MISSING``: NaN does.
    default_left : bool array of shape (n_nodes,)
        The default way.
    left, right : int arrays of shape (n_nodes,)
        Children, greater than their parent; −i − 1 is leaf i.
    value : float array of shape (n_leaves,)
        What a leaf adds to the score.
    """

    feature: IntArray
    threshold: FloatArray
    sets: list[IntArray | None]
    missing: IntArray
    default_left: BoolArray
    left: IntArray
    right: IntArray
    value: FloatArray

    @property
    def nan_left(self) -> BoolArray:
        """Whether NaN goes left, by node."""
        is_zero = self.missing == NO_MISSING
        nan_left = np.where(is_zero, self.threshold >= 0, self.default_left)
        return np.asarray(nan_left & ~self.is_set, dtype=bool)

    @property
    def is_set(self) -> BoolArray:
        """Nodes that split categories."""
        return np.array([codes is not None for codes in self.sets], dtype=bool)

    @property
    def children(self) -> IntArray:
        """Left and right child, shape (n_nodes, 2); n_nodes + i is leaf i."""
        sides = np.stack([self.left, self.right], axis=1)
        return np.where(sides < 0, len(sides) - sides - 1, sides)

    @property
    def depths(self) -> IntArray:
        """Splits above each node, shape (n_nodes,)."""
        n_nodes = len(self.feature)
        depths = np.zeros(n_nodes, dtype=int)
        for node, children in enumerate(self.children.tolist()):
            for child in children:  # which are greater than their parent
                if child < n_nodes:
                    depths[child] = depths[node] + 1
        return depths

    @property
    def depth(self) -> int:
        """Splits on the way to the deepest leaf."""
        return 1 + int(self.depths.max(initial=-1))


class Ensemble(NamedTuple):
    """Trees whose leaves are summed.

    Attributes
    ----------
    trees : list of Tree
        Leaf values are those that are added: shrunk, and divided by the number of
        trees if the score is their mean.
    n_features : int
        Number of columns.
    """

    trees: list[Tree]
    n_features: int

    @property
    def has_sets(self) -> bool:
        """Whether a node splits categories."""
        return any(tree.is_set.any() for tree in self.trees)

    def zero_is_missing(self) -> BoolArray:
        """Columns in which 0 goes the default way, shape (n_features,).

        Raises
        ------
        ValueError
            If 0 is missing at one node of a column and a value at another.
        """
        is_missing = np.zeros(self.n_features, dtype=bool)
        is_value = np.zeros(self.n_features, dtype=bool)
        for tree in self.trees:
            is_zero = tree.missing == ZERO_IS_MISSING
            is_missing[tree.feature[is_zero & ~tree.is_set]] = True
            is_value[tree.feature[~is_zero & ~tree.is_set]] = True
        if (is_missing & is_value).any():
            column = int((is_missing & is_value).argmax())
            raise ValueError(
                "trees must treat 0 alike at all splits of a column; at some of column "
                f"{column} 0 is a missing value (zero_as_missing), at others not. Fit "
                "all trees with the same extra_params."
            )
        return is_missing


def read_ensemble(ranker: Any, caller: str) -> Ensemble:
    """Trees of a fitted ranker.

    Parameters
    ----------
    ranker : LambdaMARTRanker
        Fitted.
    caller : str
        Function that needs them, for messages.

    Returns
    -------
    ensemble : Ensemble

    Raises
    ------
    ArgumentError
        If it is another ranker.
    ValueError
        If the score is not a sum of leaf values.
    """
    text = booster_text(ranker, caller)
    header, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    fields = _fields(header)
    objective, *options = fields.get("objective", "custom").split(" ")
    if objective not in _PLAIN or "sqrt" in options:
        raise ValueError(
            f"{caller} needs trees whose score is the sum of their leaves; objective "
            f"{fields['objective']!r} transforms it. Fit without 'objective' in "
            "extra_params."
        )
    divisor = len(blocks) if "average_output" in header.split("\n") else 1
    trees = [_tree(_fields(block), caller, divisor) for block in blocks]
    return Ensemble(trees, int(ranker.n_features_in_))


def booster_text(ranker: Any, caller: str) -> str:
    """The trees that ``predict`` uses, in LightGBM's text format.

    Raises
    ------
    ArgumentError
        If it is no LambdaMARTRanker; the message names the caller.
    NotFittedError
        If it has no trees.
    """
    if not isinstance(ranker, LambdaMARTRanker):
        raise ArgumentError(
            f"ranker must be a fitted LambdaMARTRanker for {caller}; got "
            f"{type(ranker).__name__}."
        )
    check_is_fitted(ranker, "booster_")
    return str(ranker.booster_.model_to_string(num_iteration=ranker.n_iter_))


def floor32(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Largest number in single precision that is ≤ the threshold.

    For every x in single precision, x ≤ t if and only if x ≤ floor32(t).

    Examples
    --------
    >>> floor32(np.array([0.1])) <= 0.1
    array([ True])
    """
    with np.errstate(over="ignore"):
        single = np.asarray(threshold).astype(np.float32)
        below = np.nextafter(single, np.float32(-np.inf))
    single = np.where(single.astype(np.float64) > threshold, below, single)
    return np.clip(single, np.float32(-_LARGEST), np.float32(_LARGEST))


def above32(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Smallest number in single precision that is > the threshold.

    For every x in single precision, x ≤ t if and only if x < above32(t). (The largest
    number, 3.4e38, is the exception: it is not below itself.)
    """
    with np.errstate(over="ignore"):
        above = np.nextafter(floor32(threshold), np.float32(np.inf))
    return np.minimum(above, np.float32(_LARGEST))


def check_no_sets(ensemble: Ensemble, caller: str, cure: str) -> None:
    """Raise if a tree splits categories."""
    if ensemble.has_sets:
        raise ValueError(
            f"{caller} needs trees that split numbers; these split categories, which "
            f"the format does not have. {cure}"
        )


def check_order_of_zero(ensemble: Ensemble, caller: str) -> None:
    """Raise if 0 goes another way than numbers beside it."""
    for number, tree in enumerate(ensemble.trees):
        is_zero = (tree.missing == ZERO_IS_MISSING) & ~tree.is_set
        if (is_zero & (tree.default_left != (tree.threshold >= 0))).any():
            raise ValueError(
                f"{caller} needs trees in which 0 is a number; in tree {number} 0 is a "
                "missing value (zero_as_missing) and goes another way than the numbers "
                "beside it. Fit without 'zero_as_missing' in extra_params, or use "
                "export_onnx."
            )


def check_depth(ensemble: Ensemble, caller: str, deepest: int) -> None:
    """Raise if a tree is deeper than readers of the format can nest."""
    depth = max((tree.depth for tree in ensemble.trees), default=0)
    if depth > deepest:
        raise ValueError(
            f"{caller} needs trees of depth <= {deepest}, since their nodes are nested "
            f"in the file; got depth {depth}. Fit with a lower max_depth."
        )


def _tree(fields: dict[str, str], caller: str, divisor: int) -> Tree:
    if fields.get("is_linear") == "1":
        raise ValueError(
            f"{caller} needs trees with constant leaves; these have linear ones. Fit "
            "without 'linear_tree' in extra_params."
        )
    n_nodes = int(fields["num_leaves"]) - 1
    value = _numbers(fields, "leaf_value", float) / divisor
    if not n_nodes:
        none = np.zeros(0, dtype=np.intp)
        return Tree(
            none, np.zeros(0), [], none, np.zeros(0, bool), none, none, value[:1]
        )
    decision = _numbers(fields, "decision_type", int)
    threshold = _numbers(fields, "threshold", float)
    is_set = (decision & _IS_SET) > 0
    codes = _sets(fields) if is_set.any() else []
    return Tree(
        feature=_numbers(fields, "split_feature", int),
        threshold=np.where(is_set, np.nan, threshold),
        sets=[
            codes[int(index)] if has_set else None
            for index, has_set in zip(threshold, is_set, strict=True)
        ],
        missing=decision >> 2,
        default_left=(decision & _DEFAULT_LEFT) > 0,
        left=_numbers(fields, "left_child", int),
        right=_numbers(fields, "right_child", int),
        value=value,
    )


def _sets(fields: dict[str, str]) -> list[IntArray]:
    """Sets of category codes, each stored as the bits of words of 32."""
    bounds = _numbers(fields, "cat_boundaries", int)
    words = _numbers(fields, "cat_threshold", int).astype(np.uint32)
    sets = []
    for start, end in itertools.pairwise(bounds):
        bits = np.unpackbits(
            words[start:end].astype("<u4").view(np.uint8), bitorder="little"
        )
        sets.append(np.flatnonzero(bits))
    return sets


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.split("\n"))
    return {name: value for name, equals, value in pairs if equals}


def _numbers(fields: dict[str, str], name: str, kind: type) -> NDArray[Any]:
    return np.array([kind(word) for word in fields[name].split()], dtype=kind)
