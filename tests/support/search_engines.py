"""Slow readers of the model files of search engines, after their documentation.

Each takes the text of a file and a row of float32 features, and adds in single
precision as the engines do. They share no code with ``ltr.export``.
"""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np

ZERO = np.float32(0.0)


def plugin_trees(text, rows, names):
    """``model/xgboost+json``: left if split_condition > x; ``missing`` for NaN."""
    trees = json.loads(text)

    def leaf(node, row):
        while "leaf" not in node:
            assert node["yes"] == node["children"][0]["nodeid"]
            assert node["no"] == node["children"][1]["nodeid"]
            x = row[names.index(node["split"])]
            if np.isnan(x):
                goes_left = node["missing"] == node["yes"]
            else:
                goes_left = np.float32(node["split_condition"]) > x
            node = node["children"][0 if goes_left else 1]
        return np.float32(node["leaf"])

    return _sums(trees, rows, leaf)


def ranklib_trees(text, rows):
    """RankLib's LambdaMART: features from 1, left if x ≤ threshold, absent is 0."""
    header, *lines = text.split("\n")
    assert header == "## LambdaMART"
    body = "".join(line.strip() for line in lines if not line.startswith("##"))
    trees = [tree.find("split") for tree in ElementTree.fromstring(body)]

    def leaf(node, row):
        while node.find("output") is None:
            number, threshold, left, right = node
            x = row[int(number.text) - 1]
            x = ZERO if np.isnan(x) else x
            node = left if x <= np.float32(threshold.text) else right
            assert {left.get("pos"), right.get("pos")} == {"left", "right"}
        return np.float32(node.find("output").text)

    return _sums(trees, rows, leaf)


def ranklib_linear(text, rows):
    """RankLib's Linear Regression: ``0:`` is the constant."""
    terms = dict(pair.split(":") for pair in text.split("\n")[2].split())
    weights = np.array([float(terms[str(i + 1)]) for i in range(rows.shape[1])])
    return float(terms["0"]) + np.nan_to_num(rows).astype(float) @ weights


def solr_trees(text, rows):
    """Solr's MultipleAdditiveTreesModel: left if x ≤ threshold + 1e-6, in float32."""
    model = json.loads(text)
    assert model["class"].endswith(".MultipleAdditiveTreesModel")
    names = [feature["name"] for feature in model["features"]]
    slack = np.float32(1e-6)

    def leaf(node, row):
        while "feature" in node:
            x = row[names.index(node["feature"])]
            x = ZERO if np.isnan(x) else x
            goes_left = x <= np.float32(node["threshold"]) + slack
            node = node["left" if goes_left else "right"]
        return np.float32(node["value"])

    roots = [tree["root"] for tree in model["params"]["trees"]]
    assert {tree["weight"] for tree in model["params"]["trees"]} <= {"1"}
    return _sums(roots, rows, leaf)


def weights_by_name(weights, rows, names):
    """``model/linear`` and Solr's LinearModel: a sum in single precision."""
    total = np.zeros(len(rows), dtype=np.float32)
    for name, column in zip(names, np.nan_to_num(rows).T, strict=True):
        total += np.float32(weights[name]) * column
    return total


def _sums(trees, rows, leaf):
    sums = np.zeros(len(rows), dtype=np.float32)
    for tree in trees:
        sums += np.array([leaf(tree, row) for row in rows], dtype=np.float32)
    return sums
