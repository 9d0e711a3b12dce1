"""Files of trees in LightGBM's text format, checked before LightGBM reads them.

LightGBM believes what a file says about itself: a count that is too large, or a child
that is out of range, makes it read or write memory that is not its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

MAX_LEAVES = 2**17  # LightGBM's own limit
_INT32 = 2**31 - 1
_HEADER = {
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "average_output",
    "feature_names",
    "monotone_constraints",
    "feature_infos",
    "tree_sizes",
}
_OBJECTIVES = {
    "binary",
    "cross_entropy",
    "cross_entropy_lambda",
    "custom",
    "fair",
    "gamma",
    "huber",
    "lambdarank",
    "mape",
    "poisson",
    "quantile",
    "rank_xendcg",
    "regression",
    "regression_l1",
    "tweedie",
}
_OPTION = re.compile(r"sqrt|[a-z_]+:[-+.0-9e]+", re.ASCII)
_VALUE_RANGE = re.compile(r"none|\[[-+.0-9a-z]+:[-+.0-9a-z]+\]|-?\d+(:-?\d+)*")
_PARAMETER = re.compile(r"\[\w+: .*\]", re.ASCII)
_IMPORTANCE = re.compile(r"[^=]+=\d+")
_NUMBERS = re.compile(r"[-+.0-9eE infa]*")
# arrays of a tree: how many entries they have, L leaves and L - 1 nodes
_BY_NODE = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_BY_NODE_TOO = ("split_gain", "internal_value", "internal_weight", "internal_count")
_BY_LEAF_TOO = ("leaf_weight", "leaf_count")
_OF_CATEGORIES = ("cat_boundaries", "cat_threshold")
_OF_LINEAR_LEAVES = ("leaf_const", "num_features", "leaf_features", "leaf_coeff")
_SINGLE = ("num_leaves", "num_cat", "is_linear", "shrinkage")
_OF_TREE = {
    *_SINGLE,
    *_BY_NODE,
    *_BY_NODE_TOO,
    *_BY_LEAF_TOO,
    *_OF_CATEGORIES,
    *_OF_LINEAR_LEAVES,
    "leaf_value",
}
_IS_CATEGORICAL, _MISSING_TYPES = 1, 2  # bits of decision_type: …, missing, left, split


class TreeFileError(ValueError):
    """LightGBM could not read a file of trees without harm.

    Parameters
    ----------
    reason : str
        The field, what it must be, and what it is.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "trees.txt is not a file that LightGBM can read without harm: "
            f"{reason}. Save the ranker again."
        )
        self.reason = reason


class TreeFile(NamedTuple):
    """What a file of trees says about itself.

    Attributes
    ----------
    n_trees : int
        Number of trees.
    categories : list of lists, or None
        Categories of the columns of category dtype.
    """

    n_trees: int
    categories: list[list[Any]] | None


def check_tree_file(text: str, n_features: int) -> TreeFile:
    """Raise unless LightGBM can read a file of trees without harm.

    Parameters
    ----------
    text : str
        The file, as ``Booster.model_to_string`` writes it.
    n_features : int
        Number of features that the trees must be for.

    Returns
    -------
    file : TreeFile

    Raises
    ------
    ValueError
        If a count does not fit the arrays, a tree is no tree, or a number is not
        finite; the message names the tree and the field.
    """
    if "\0" in text or "\r" in text:
        _refuse("the file", "text with line feeds only", "another control character")
    start = text.find("\nTree=0\n") + 1
    end = text.find("\nend of trees\n") + 1
    if not end:
        _refuse("the file", "a line 'end of trees'", "none: it may be cut off")
    if not start or start > end:
        start = end
    sizes = _check_header(text[:start], n_features)
    trees = text[start:end]
    if not trees.isascii() or sum(sizes) != len(trees):
        _refuse("tree_sizes", f"numbers of bytes that sum to {len(trees)}", sum(sizes))
    offset = 0
    for i, size in enumerate(sizes):
        _check_tree(f"tree {i}", trees[offset : offset + size], i, n_features)
        offset += size
    return TreeFile(len(sizes), _check_tail(text[end:], n_features))


def _check_header(text: str, n_features: int) -> list[int]:
    """Check what precedes the trees; return their sizes in bytes."""
    first, *lines = text.split("\n")
    if first != "tree" or lines[-2:] != ["", ""] or "" in lines[:-2]:
        _refuse("the header", "a line 'tree', fields, and an empty line", text[:60])
    fields = _fields("the header", lines[:-2], _HEADER)
    for name, expected in {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "max_feature_idx": str(n_features - 1),
        "average_output": "",
    }.items():
        if fields.get(name, expected if name == "average_output" else None) != expected:
            _refuse(name, repr(expected), fields.get(name))
    _whole_numbers("label_index", fields, 1, -_INT32)
    objective, *options = fields.get("objective", "custom").split(" ")
    if objective not in _OBJECTIVES or not all(map(_OPTION.fullmatch, options)):
        _refuse("objective", "one of LightGBM's with one output", fields["objective"])
    names = fields.get("feature_names", "").split(" ")
    ranges = fields.get("feature_infos", "").split(" ")
    if len(names) != n_features or "" in names:
        _refuse("feature_names", f"{n_features} words", len(names))
    if len(ranges) != n_features or not all(map(_VALUE_RANGE.fullmatch, ranges)):
        _refuse("feature_infos", f"{n_features} ranges of values", len(ranges))
    if "monotone_constraints" in fields:
        _whole_numbers("monotone_constraints", fields, n_features, -1, 1)
    sizes: list[int] = _whole_numbers("tree_sizes", fields, None, 1).tolist()
    return sizes


def _check_tree(where: str, text: str, number: int, n_features: int) -> None:
    """Check one tree, the bytes that ``tree_sizes`` gives it."""
    first, *lines = text.rstrip("\n").split("\n")
    if first != f"Tree={number}" or not text.endswith("\n\n"):
        _refuse(
            where, f"to begin with 'Tree={number}' and end with a blank line", first
        )
    fields = _fields(where, lines, _OF_TREE)
    (n_leaves,) = _whole_numbers("num_leaves", fields, 1, 1, MAX_LEAVES, where)
    n_nodes = n_leaves - 1
    (n_sets,) = _whole_numbers("num_cat", fields, 1, 0, n_nodes, where)
    (is_linear,) = (
        _whole_numbers("is_linear", fields, 1, 0, 1, where)
        if "is_linear" in fields
        else (0,)
    )
    _numbers("leaf_value", fields, n_leaves, where)
    _numbers("shrinkage", fields, 1, where)
    for name in (*_BY_NODE_TOO, *_BY_LEAF_TOO):
        if name in fields:
            size = n_nodes if name in _BY_NODE_TOO else n_leaves
            _parsed(name, fields, size if n_nodes else None, where, float)
    if is_linear:
        _check_linear_leaves(where, fields, n_leaves, n_features)
    if not n_nodes:
        for name in _BY_NODE:
            _numbers(name, fields, 0, where)
        return
    _whole_numbers("split_feature", fields, n_nodes, 0, n_features - 1, where)
    threshold = _parsed("threshold", fields, n_nodes, where, float)
    if np.isnan(threshold).any():
        _refuse(f"threshold of {where}", "numbers", "nan")
    decision = _whole_numbers("decision_type", fields, n_nodes, 0, 15, where)
    if ((decision >> 2) > _MISSING_TYPES).any():
        _refuse(f"decision_type of {where}", "a missing type of 0 to 2", "3")
    _check_children(where, fields, n_nodes)
    is_set = (decision & _IS_CATEGORICAL) > 0
    if is_set.any() and not n_sets:
        _refuse(f"num_cat of {where}", "> 0 for its categorical splits", n_sets)
    indices = threshold[is_set]
    if ((indices < 0) | (indices >= n_sets) | (indices != np.floor(indices))).any():
        _refuse(f"threshold of {where}", f"sets below {n_sets}", indices.tolist())
    if n_sets:
        _check_sets(where, fields, n_sets)


def _check_children(where: str, fields: Mapping[str, str], n_nodes: int) -> None:
    """Each node but the root and each leaf has one parent, of a smaller number.

    LightGBM numbers nodes in the order of their splits. A number that grows from parent
    to child leaves no room for a cycle, so all are reached from the root, node 0.
    """
    children = np.concatenate(
        [
            _whole_numbers(name, fields, n_nodes, -n_nodes - 1, n_nodes - 1, where)
            for name in ("left_child", "right_child")
        ]
    )
    parents = np.tile(np.arange(n_nodes), 2)
    # child -i - 1 is leaf i: there are leaves 0 … n_nodes and nodes 1 … n_nodes - 1
    all_children = np.r_[-n_nodes - 1 : 0, 1:n_nodes]
    is_node = children >= 0
    if (np.sort(children) != all_children).any() or (
        children[is_node] <= parents[is_node]
    ).any():
        _refuse(
            f"left_child and right_child of {where}",
            "each node and leaf once, after its parent",
            children.tolist(),
        )


def _check_sets(where: str, fields: Mapping[str, str], n_sets: int) -> None:
    """Sets of categories are bits of words; set k has those up to the next boundary."""
    name = "cat_boundaries"
    boundaries = _whole_numbers(name, fields, n_sets + 1, 0, _INT32, where)
    n_words = int(boundaries[-1])
    if boundaries[0] != 0 or (np.diff(boundaries) <= 0).any():
        _refuse(f"{name} of {where}", "to rise from 0", boundaries.tolist())
    _whole_numbers("cat_threshold", fields, n_words, 0, 2**32 - 1, where)


def _check_linear_leaves(
    where: str, fields: Mapping[str, str], n_leaves: int, n_features: int
) -> None:
    """Leaves with a constant and coefficients of some features."""
    _numbers("leaf_const", fields, n_leaves, where)
    sizes = _whole_numbers("num_features", fields, n_leaves, 0, n_features, where)
    n_terms = int(sizes.sum())
    _whole_numbers("leaf_features", fields, n_terms, 0, n_features - 1, where)
    _numbers("leaf_coeff", fields, n_terms, where)


def _check_tail(text: str, n_features: int) -> list[list[Any]] | None:
    """Check what follows the trees; return the categories."""
    lines = iter(text.split("\n"))
    _expect(lines, "end of trees")
    _expect(lines, "")
    _expect(lines, "feature_importances:")
    importances = list(iter(lambda: next(lines, ""), ""))
    if len(importances) > n_features or not all(
        map(_IMPORTANCE.fullmatch, importances)
    ):
        _refuse("feature_importances", "a whole number for features", importances[:3])
    _expect(lines, "parameters:")
    for line in iter(lambda: next(lines, ""), "end of parameters"):
        if line and not _PARAMETER.fullmatch(line):
            _refuse("a line of parameters", "'[name: value]'", line)
        if not line and next(lines, "") != "end of parameters":
            _refuse("parameters", "an end 'end of parameters'", "an empty line")
        if not line:
            break
    _expect(lines, "")
    name, _, value = next(lines, "").partition(":")
    if name != "pandas_categorical" or list(lines) not in ([""], []):
        _refuse("the last line", "pandas_categorical", name)
    try:
        categories: list[list[Any]] | None = json.loads(value)
    except (ValueError, RecursionError) as error:
        _refuse("pandas_categorical", "JSON", error)
    if categories is not None and not (
        isinstance(categories, list)
        and all(isinstance(column, list) for column in categories)
        and all(
            isinstance(v, (str, int, float)) for column in categories for v in column
        )
    ):
        _refuse("pandas_categorical", "lists of text and numbers", value)
    return categories


def _expect(lines: Iterator[str], expected: str) -> None:
    line = next(lines, "nothing")
    if line != expected:
        _refuse("a line after the trees", repr(expected), repr(line))


def _fields(where: str, lines: list[str], expected: set[str]) -> dict[str, str]:
    """Lines ``name=value`` as a dictionary."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition("=")
        if name not in expected or name in fields:
            _refuse(where, "each known field once", line)
        fields[name] = value
    return fields


def _numbers(
    name: str, fields: Mapping[str, str], size: int | None, where: str = ""
) -> NDArray[Any]:
    """Finite numbers of a field, ``size`` of them."""
    values = _parsed(name, fields, size, where, float)
    if not np.isfinite(values).all():
        _refuse(f"{name} of {where}", "finite numbers", fields[name])
    return values


def _whole_numbers(
    name: str,
    fields: Mapping[str, str],
    size: int | None,
    low: int,
    high: int = _INT32,
    where: str = "the header",
) -> NDArray[Any]:
    """Whole numbers of a field, ``size`` of them, in a range."""
    values = _parsed(name, fields, size, where, int)
    if len(values) and (values.min() < low or values.max() > high):
        _refuse(f"{name} of {where}", f"numbers from {low} to {high}", fields[name])
    return values


def _parsed(
    name: str, fields: Mapping[str, str], size: int | None, where: str, kind: type
) -> NDArray[Any]:
    text = fields.get(name)
    if text is None:
        _refuse(f"{name} of {where}", "to be there", text)
    try:
        if not _NUMBERS.fullmatch(text):
            raise ValueError
        values: NDArray[Any] = np.array(list(map(kind, text.split())), dtype=kind)
    except (ValueError, OverflowError):
        _refuse(f"{name} of {where}", "plain numbers", text)
    if size is not None and len(values) != size:
        _refuse(f"{name} of {where}", f"{size} numbers", len(values))
    return values


def _refuse(name: str, expected: str, value: object) -> NoReturn:
    raise TreeFileError(f"{name} must be {expected}; got {value!s:.100}")
