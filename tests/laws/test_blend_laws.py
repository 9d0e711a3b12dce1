"""Laws of blends on drawn members, weights and lists; Ctrl-C within a member."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from ltr import (
    AutoRanker,
    ConstrainedRanker,
    LinearRanker,
    RandomRanker,
    SingleFeatureRanker,
    StackingRanker,
    VotingRanker,
    load_ranker,
    save_ranker,
)
from ltr.atomic import FitStopped
from ltr.datasets import make_ranking
from ltr.rankers.blend.numeric import NumericRanker

DATA = make_ranking(12, list_size=(1, 6), n_features=3, n_informative=2, random_state=1)
X, y, qid = DATA.X, DATA.y, DATA.qid
LINEAR = LinearRanker(alpha=1.0)
FEATURE, OTHER = SingleFeatureRanker(), LinearRanker(alpha=1e4)
THREE = [("linear", LINEAR), ("feature", FEATURE), ("other", OTHER)]
normalizations = st.sampled_from(["zscore", "rank", "minmax"])
laws = settings(
    max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def scores(blend):
    return blend.fit(X, y, qid).predict(X, qid)


@laws
@given(
    st.lists(st.integers(1, 9), min_size=3, max_size=3),
    st.integers(-300, 300),
    normalizations,
)
def test_the_scale_of_weights_does_not_matter(weights, exponent, how):
    """Only their ratios; by powers of two, to the last bit."""
    blend = VotingRanker(THREE, weights=weights, normalize=how)
    scaled = clone(blend).set_params(
        weights=np.ldexp(np.array(weights, float), exponent)
    )
    np.testing.assert_array_equal(scores(scaled), scores(blend))
    tenfold = clone(blend).set_params(weights=[10 * weight for weight in weights])
    np.testing.assert_allclose(scores(tenfold), scores(blend), atol=1e-12)


@laws
@given(st.integers(0, 2), st.floats(1e-3, 1e3), normalizations)
def test_weight_0_is_absence(absent, weight, how):
    """As "drop" and as a list without the member, to the last bit."""
    weights = [1.0, weight, 3.0]
    name = THREE[absent][0]
    weights[absent] = 0.0
    blend = VotingRanker(THREE, weights=weights, normalize=how)
    expected = scores(blend)
    dropped = clone(blend).set_params(**{name: "drop"})
    np.testing.assert_array_equal(scores(dropped), expected)
    without = VotingRanker(
        [pair for pair in THREE if pair[0] != name],
        weights=[weight for weight in weights if weight],
        normalize=how,
    )
    np.testing.assert_array_equal(scores(without), expected)


@laws
@given(
    st.integers(1, 4),
    st.lists(st.floats(0.1, 9), min_size=4, max_size=4),
    st.sampled_from([LINEAR, FEATURE]),
    normalizations,
)
def test_equal_members_are_the_member(n, weights, member, how):
    """Whatever their weights: its order, and its normalized scores."""
    pairs = [(f"m{i}", clone(member)) for i in range(n)]
    blend = VotingRanker(pairs, weights=weights[:n], normalize=how)
    one = VotingRanker([("m", member)], normalize=how)
    np.testing.assert_allclose(scores(blend), scores(one), atol=1e-12)
    if how == "zscore":
        auto = AutoRanker(members=pairs, random_state=0)
        np.testing.assert_allclose(scores(auto), scores(one), atol=1e-12)


@laws
@given(st.permutations(range(len(y))), st.sampled_from(["voting", "stacking", "auto"]))
def test_rows_in_any_order_and_lists_of_any_name(permutation, kind):
    """And a list's scores do not depend on the other lists."""
    blend = BLENDS[kind]
    fitted = clone(blend).fit(X, y, qid)
    expected, rows = fitted.predict(X, qid), np.array(permutation)
    named = np.array([f"query {q}" for q in qid])
    actual = fitted.predict(X[rows], named[rows])
    np.testing.assert_allclose(actual, expected[rows], atol=1e-12)
    part = rows[np.isin(qid[rows], qid[rows[:3]])]
    actual = fitted.predict(X[part], qid[part])
    np.testing.assert_allclose(actual, expected[part], atol=1e-12)
    if kind == "voting":  # the others draw folds, which follow the order of queries
        again = clone(blend).fit(X[rows], y[rows], named[rows])
        np.testing.assert_allclose(again.predict(X, qid), expected, atol=1e-9)


BLENDS = {
    "voting": VotingRanker(THREE, weights=[1, 2, 3]),
    "stacking": StackingRanker(THREE, LINEAR, cv=3),
    "auto": AutoRanker(members=THREE, random_state=0),
}


@laws
@given(
    st.lists(st.sampled_from(THREE), min_size=1, max_size=3, unique_by=lambda p: p[0]),
    st.lists(st.floats(0.1, 9), min_size=3, max_size=3),
    st.sampled_from(["voting", "stacking", "auto"]),
    normalizations,
)
def test_saved_and_loaded_are_equal_to_the_last_bit(
    tmp_path, members, weights, kind, how
):
    blend = {
        "voting": VotingRanker(
            members, weights=tuple(weights[: len(members)]), normalize=how
        ),
        "stacking": StackingRanker(members, LINEAR, cv=2, normalize=how),
        "auto": AutoRanker(members=members, random_state=0),
    }[kind].fit(X, y, qid)
    save_ranker(blend, tmp_path / "model")
    loaded = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X, qid), blend.predict(X, qid))
    assert repr(loaded) == repr(blend)


class StoppedRanker(RandomRanker):
    """Ctrl-C ends its fit, and what it has learned is complete."""

    def fit(self, X, y, qid=None):
        super().fit(X, y, qid)
        raise FitStopped("stopped after 3 epochs")


STOPPED = [("linear", LINEAR), ("stopped", StoppedRanker())]


@pytest.mark.parametrize(
    ("blend", "parameters"),
    [
        (VotingRanker(THREE), {"rankers": STOPPED}),
        (StackingRanker(THREE, cv=2), {"rankers": STOPPED}),
        (StackingRanker(THREE, cv=2), {"final_ranker": StoppedRanker()}),
        (AutoRanker(members=THREE), {"members": STOPPED}),
        (NumericRanker(LINEAR), {"ranker": StoppedRanker()}),
        (ConstrainedRanker(LINEAR, []), {"ranker": StoppedRanker()}),
    ],
)
def test_control_c_in_a_member_changes_nothing(blend, parameters):
    """A new blend stays unfitted, and a fitted one as it was."""
    new = clone(blend).set_params(**parameters)
    before = vars(new).copy()
    with pytest.raises(KeyboardInterrupt, match="stopped after 3 epochs"):
        new.fit(X, y, qid)
    assert vars(new) == before
    old = clone(blend).fit(X, y, qid)
    expected = old.predict(X, qid)
    old.set_params(**parameters)
    with pytest.raises(KeyboardInterrupt, match="stopped after 3 epochs"):
        old.fit(X[::-1], y, qid)
    np.testing.assert_array_equal(old.predict(X, qid), expected)


def test_control_c_keeps_what_the_ranker_itself_has_learned():
    """And a subclass that calls the fit of its base."""
    ranker = StoppedRanker()
    with pytest.raises(FitStopped):
        ranker.fit(X, y, qid)
    assert ranker.predict(X, qid).shape == y.shape
