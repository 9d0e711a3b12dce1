"""Trees of saved rankers: LightGBM's text, checked against ``ranker.json``."""

from __future__ import annotations

from typing import Any, NamedTuple

from ltr.arguments import check_whole
from ltr.rankers.model_folder import DOCUMENT, SavedModel
from ltr.rankers.saved_fields import check_categories
from ltr.rankers.trees.feature_tables import Categories
from ltr.rankers.trees.tree_file import check_tree_file


class SavedTrees(NamedTuple):
    """What a saved ranker with trees predicts with.

    Attributes
    ----------
    text : str
        The trees, which LightGBM can read without harm.
    categories : Categories
        Those of the columns.
    """

    text: str
    categories: Categories


def check_trees(model: SavedModel, n_features: int, n_iter: Any) -> SavedTrees:
    """Return trees and categories, which fit together.

    Parameters
    ----------
    model : SavedModel
        Of a LambdaMARTRanker.
    n_features : int
        Number of columns.
    n_iter : object
        Its ``n_iter_``: how many of the trees predict.

    Returns
    -------
    trees : SavedTrees

    Raises
    ------
    ValueError
        If the trees are damaged, fewer than ``n_iter``, or of other categories.
    """
    text = model.parts["trees.txt"].decode()
    file = check_tree_file(text, n_features)
    check_whole("n_iter_", n_iter, low=0, high=file.n_trees)
    categories = check_categories(model.document.get("categories"), n_features)
    # files of ltr 0.1 have none
    if file.categories and file.categories != categories.for_lightgbm:
        raise ValueError(
            f"pandas_categorical in trees.txt must be the categories in {DOCUMENT}; "
            f"got {file.categories!r:.100} and {categories.for_lightgbm!r:.100}."
        )
    return SavedTrees(text, categories)
