"""What formats without missing values make of trees that have them."""

from __future__ import annotations

from ltr.export.ensemble import (
    NAN_IS_MISSING,
    Ensemble,
    check_no_sets,
    check_order_of_zero,
)


def check_numbers_only(ensemble: Ensemble, caller: str, missing: str) -> None:
    """Raise unless trees can be written in a format where an absent value is 0.

    Parameters
    ----------
    ensemble : Ensemble
        Trees.
    caller : str
        Function that writes them, for messages.
    missing : {"error", "zero"}
        Whether splits that send NaN another way than 0 are an error.

    Raises
    ------
    ValueError
        If they cannot.
    """
    cure = "Fit on 0/1 columns instead of categories, or use export_onnx."
    check_no_sets(ensemble, caller, cure)
    check_order_of_zero(ensemble, caller)
    if missing == "zero":
        return
    for number, tree in enumerate(ensemble.trees):
        is_nan = (tree.missing == NAN_IS_MISSING) & ~tree.is_set
        differs = is_nan & (tree.default_left != (tree.threshold >= 0))
        if differs.any():
            raise ValueError(
                f"{caller} needs trees that treat missing values as 0, as the format "
                f"does; tree {number} sends those of column "
                f"{int(tree.feature[differs.argmax()])} another way. Pass "
                "missing='zero' to count missing values as 0, fit on X with 0 in their "
                "place, or use export_onnx or export_xgboost_json."
            )
