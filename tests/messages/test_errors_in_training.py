"""Bad input that shows in training, and frames of other libraries."""

import re

import numpy as np
import pytest

from ltr import LambdaMARTRanker, NeuralRanker
from ltr.datasets import make_ranking

DATA = make_ranking(12, list_size=5, n_features=3, n_informative=2, random_state=0)
X, Y, QID = DATA.X, DATA.y, DATA.qid
N = len(Y)


def neural(**parameters):
    return NeuralRanker(**{"scorer": "linear", "max_epochs": 1} | parameters)


def trees(**parameters):
    return LambdaMARTRanker(**{"n_estimators": 2, "n_jobs": 1} | parameters)


def itemwise(scores, labels, *, where):
    return where * (scores - labels) ** 2


def test_weight_decay_is_for_adamw():
    """Plain SGD at an ordinary rate learns."""
    ranker = neural(loss="ranknet", optimizer="sgd", learning_rate=0.1, max_epochs=30)
    assert ranker.fit(X, Y, QID).score(X, Y, QID) > 0.75


def test_divergence_is_an_error():
    """Weights that are no longer numbers are not kept."""
    ranker = neural(loss="mse", optimizer="sgd", learning_rate=1e9, max_epochs=50)
    with pytest.raises(ValueError, match=r"diverged in epoch \d: .* \(now 1e\+09\)"):
        ranker.fit(X, Y, QID)


def test_loss_of_another_shape():
    """A loss of one's own must give one number per list."""
    with pytest.raises(ValueError, match=r"shape \(12,\) for .* got shape \(12, 5\)"):
        neural(loss=itemwise).fit(X, Y, QID)


@pytest.mark.parametrize("ranker", [neural(), trees()], ids=lambda r: type(r).__name__)
def test_validation_without_a_list_that_counts(ranker):
    """Stopping on a metric that is nowhere defined would keep anything."""
    message = (
        "metric='ndcg@10' must be defined on at least one validation query; got 12 "
        "queries, none with a relevant item. Choose other queries."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ranker.fit(X, Y, QID, X_val=X, y_val=np.zeros(N), qid_val=QID)


@pytest.mark.parametrize("ranker", [neural(), trees()], ids=lambda r: type(r).__name__)
def test_frames_of_other_libraries(ranker):
    """They are read as arrays, also with labels in a list."""

    class Frame:
        columns, dtypes = ["a", "b", "c"], ["Float64"] * 3
        shape = X.shape

        def __array__(self, dtype=None, copy=None):
            return np.array(X, dtype=dtype)

        def __len__(self):
            return N

    ranker.fit(Frame(), list(Y), list(QID))
    np.testing.assert_array_equal(ranker.predict(Frame(), QID), ranker.predict(X, QID))


def test_equal_labels_that_single_precision_cannot_hold():
    """No distinction is lost where there is none."""
    with pytest.warns(UserWarning, match="No list has two distinct labels"):
        neural(loss="mse").fit(X, np.full(N, 0.1), QID)
    with pytest.raises(ValueError, match="must keep its distinctions"):
        neural(loss="ranknet").fit(X, Y + 2.0**26, QID)
