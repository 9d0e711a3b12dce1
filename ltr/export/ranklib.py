"""Trees and linear models in the formats of RankLib."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ltr.arguments import check_choice
from ltr.export.ensemble import Tree, floor32, read_ensemble
from ltr.export.linear import check_single, is_linear, raw_weights, shortest
from ltr.export.missing import check_numbers_only
from ltr.export.names import feature_names
from ltr.files import PathLike, whole_file


def export_ranklib(
    ranker: Any, path: PathLike, *, missing: Literal["error", "zero"] = "error"
) -> None:
    """Write a ranker as a model file of RankLib.

    RankLib itself reads it, and so do the ``model/ranklib`` of the learning-to-rank
    plugins of Elasticsearch and OpenSearch.

    Parameters
    ----------
    ranker : LambdaMARTRanker, LinearRanker, or NeuralRanker with ``scorer="linear"``
        Fitted. Trees become a ``LambdaMART`` ensemble in XML, weights of features a
        ``Linear Regression``.
    path : path-like
        File to write.
    missing : {"error", "zero"}, default="error"
        The format has no missing values: what is absent is 0. ``"error"``: refuse trees
        that send missing values another way than 0. ``"zero"``: write them; a missing
        value then counts as 0.

    Raises
    ------
    ValueError
        If the trees split categories or, with ``missing="error"``, missing values; if 0
        is a missing value that goes another way than the numbers beside it; or if the
        scores of the other rankers are not linear in the features.

    Notes
    -----
    Features are numbered from 1, as in the files that RankLib reads. RankLib compares
    x ≤ t in single precision; the threshold of LightGBM, in double precision, becomes
    the largest number in single precision that is not above it, so that every row of
    float32 features reaches the same leaf.

    Examples
    --------
    >>> import tempfile
    >>> from ltr import LinearRanker
    >>> ranker = LinearRanker(preprocess=None)
    >>> _ = ranker.fit([[1.0], [0.0]], [1, 0])
    >>> path = tempfile.mkdtemp() + "/model.txt"
    >>> export_ranklib(ranker, path)
    >>> with open(path) as file:
    ...     print(file.readline(), end="")
    ## Linear Regression
    """
    check_choice("missing", missing, ("error", "zero"))
    caller = "export_ranklib"
    if is_linear(ranker):
        raw = raw_weights(ranker, caller)
        check_single(raw.weight, feature_names(ranker, None), caller)
        terms = [f"{i}:{weight!r}" for i, weight in enumerate(raw.weight.tolist(), 1)]
        line = " ".join([f"0:{raw.constant!r}", *terms])
        text = f"## Linear Regression\n## Lambda = 1.0E-10\n{line}\n"
    else:
        ensemble = read_ensemble(ranker, caller)
        check_numbers_only(ensemble, caller, missing)
        n_leaves = max((len(tree.value) for tree in ensemble.trees), default=1)
        lines = [
            "## LambdaMART",
            f"## No. of trees = {len(ensemble.trees)}",
            f"## No. of leaves = {n_leaves}",
            "## No. of threshold candidates = 256",
            f"## Learning rate = {ranker.learning_rate!r}",
            "## Stop early = 100",
            "",
            "<ensemble>",
        ]
        for number, tree in enumerate(ensemble.trees, 1):
            lines.append(f'\t<tree id="{number}" weight="1.0">')
            lines += _lines(tree)
            lines.append("\t</tree>")
        text = "\n".join([*lines, "</ensemble>", ""])
    with whole_file(Path(path)) as scratch:
        scratch.write_text(text, "utf-8")


def _lines(tree: Tree) -> list[str]:
    """The elements of a tree, a line each, in the order of a walk from the left."""
    lines = []
    thresholds = shortest(floor32(tree.threshold))
    values = shortest(tree.value)
    root = 0 if len(tree.feature) else -1
    stack: list[tuple[int, str]] = [(root, "<split>")]
    while stack:  # not recursive: trees may be deep
        node, opening = stack.pop()
        lines.append(opening)
        if opening == "</split>":
            continue
        if node < 0:
            lines += [f"<output> {values[-node - 1]!r} </output>", "</split>"]
            continue
        lines += [
            f"<feature> {int(tree.feature[node]) + 1} </feature>",
            f"<threshold> {thresholds[node]!r} </threshold>",
        ]
        stack += [
            (node, "</split>"),
            (int(tree.right[node]), '<split pos="right">'),
            (int(tree.left[node]), '<split pos="left">'),
        ]
    return [f"\t\t{line}" for line in lines]
