"""Imputers and selected columns in saved pipelines: bit for bit what scikit-learn does."""

import re

import numpy as np
import pytest
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ltr import LinearRanker, load_ranker, save_ranker
from ltr.rankers.model_folder import read_model
from ltr.serving.restoring import restore

pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipping features without any observed values"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in divide"),
    pytest.mark.filterwarnings("ignore:Features .* are constant"),
]
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 6)).round(1)
TABLE[:, 4] = 2.0
GAPS = np.where(RNG.random(TABLE.shape) < 0.2, np.nan, TABLE)
GAPS[:, 0] = TABLE[:, 0]  # no gap, so no indicator
GAPS[:, 5] = np.nan  # no value
Y = RNG.integers(0, 3, size=40)
ALL = {"add_indicator": True, "keep_empty_features": True}


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize(
    "steps",
    [
        [SimpleImputer()],
        [SimpleImputer(strategy="most_frequent", **ALL), StandardScaler()],
        [StandardScaler(), SimpleImputer(strategy="median", add_indicator=True)],
        [SimpleImputer(strategy="constant", fill_value=-7, keep_empty_features=True)],
        [SimpleImputer(strategy="constant"), VarianceThreshold(0.5)],
        [SimpleImputer(missing_values=-1, add_indicator=True), SimpleImputer()],
        [SimpleImputer(missing_values=0.0), VarianceThreshold()],
    ],
    ids=str,
)
def test_bit_for_bit(tmp_path, steps, dtype):
    """The pipeline that is loaded, the one that serves, and the one that was saved."""
    missing = steps[0].get_params().get("missing_values", np.nan)
    table = (GAPS if np.isnan(missing) else np.nan_to_num(GAPS, nan=missing)).astype(
        dtype
    )
    pipeline = make_pipeline(*steps, LinearRanker(1.0)).fit(table, Y)
    save_ranker(pipeline, tmp_path / "model")
    again = load_ranker(tmp_path / "model")
    served = restore(read_model(tmp_path / "model"), None, ())
    empty = np.where(np.arange(6) == 3, missing, 9.5).astype(dtype)
    for rows in (table, empty[None], table.astype("f8"), table.astype("f4")):
        features = pipeline[:-1].transform(rows)
        np.testing.assert_array_equal(again[:-1].transform(rows), features)
        assert again[:-1].transform(rows).dtype == features.dtype
        expected = pipeline.predict(rows)
        np.testing.assert_array_equal(again.predict(rows), expected)
        np.testing.assert_array_equal(served.predict(rows), expected)
    for (_, old), (_, new) in zip(pipeline.steps, again.steps, strict=True):
        assert repr(old) == repr(new)


def test_integers(tmp_path):
    """Fitted on whole numbers, it takes whole numbers."""
    table = TABLE.astype(int)
    imputer = SimpleImputer(missing_values=1, strategy="constant", fill_value=5)
    pipeline = make_pipeline(imputer, LinearRanker(1.0)).fit(table, Y)
    save_ranker(pipeline, tmp_path / "model")
    again = load_ranker(tmp_path / "model")
    assert again[0].transform(table).dtype == imputer.transform(table).dtype
    np.testing.assert_array_equal(again.predict(table), pipeline.predict(table))
    served = restore(read_model(tmp_path / "model"), None, ())
    np.testing.assert_array_equal(served.predict(table), pipeline.predict(table))


@pytest.mark.parametrize(
    ("imputer", "table", "reason"),
    [
        (
            SimpleImputer(strategy=np.nanmax),
            TABLE,
            "a function as strategy",
        ),
        (
            SimpleImputer(strategy="most_frequent", missing_values=None),
            np.array([["1"], [None]] * 20, dtype=object),
            "missing_values=None",
        ),
        (
            SimpleImputer(strategy="most_frequent"),
            np.array([["1"], ["1"]] * 20, dtype=object),
            "text",
        ),
    ],
)
def test_what_cannot_be_saved(tmp_path, imputer, table, reason):
    """The message says why, and what to do."""
    pipeline = Pipeline([("imputer", imputer), ("rank", LinearRanker(1.0))])
    pipeline.fit(table, Y)
    message = (
        "a SimpleImputer must fill in numbers, by the name of a strategy, to be saved; "
        f"got {reason}. Pickle the pipeline."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        save_ranker(pipeline, tmp_path / "model")


def test_what_cannot_be_filled_in(tmp_path):
    """NaN, where another number stands for a missing value."""
    table = np.nan_to_num(GAPS, nan=-1.0)
    imputer = SimpleImputer(missing_values=-1.0)
    pipeline = make_pipeline(imputer, LinearRanker(1.0)).fit(table, Y)
    save_ranker(pipeline, tmp_path / "model")
    message = (
        "Input X contains NaN: the imputer fills in -1 only. Write missing values as in "
        "fit."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        restore(read_model(tmp_path / "model"), None, ()).predict(GAPS)
