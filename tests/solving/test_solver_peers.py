"""Consensus and committees against choix, pref_voting and abcvoting, where installed."""

import numpy as np
import pytest

from ltr.solvers import (
    bradley_terry,
    comparisons_to_matrix,
    pairwise_counts,
    plackett_luce,
    ranked_pairs,
    schulze,
    select_committee,
)

RNG = np.random.default_rng(0)


def test_bradley_terry_is_that_of_choix():
    """Its scores have mean 0, too; its penalty is alpha · Σ s²."""
    choix = pytest.importorskip("choix")
    pairs = [tuple(RNG.choice(12, 2, replace=False).tolist()) for _ in range(300)]
    counts = comparisons_to_matrix(*np.array(pairs).T)
    expected = choix.opt_pairwise(12, pairs, tol=1e-10)
    np.testing.assert_allclose(bradley_terry(counts), expected, atol=1e-5)
    expected = choix.opt_pairwise(12, pairs, alpha=0.5, tol=1e-10)
    np.testing.assert_allclose(bradley_terry(counts, ridge=1.0), expected, atol=1e-5)


def test_plackett_luce_is_that_of_choix():
    """Of partial rankings; mean 0."""
    choix = pytest.importorskip("choix")
    rankings = [RNG.permutation(8)[: RNG.integers(2, 9)].tolist() for _ in range(80)]
    expected = choix.opt_rankings(8, rankings, tol=1e-10)
    np.testing.assert_allclose(plackett_luce(rankings), expected, atol=1e-5)


def test_condorcet_methods_are_those_of_pref_voting():
    """The first of the order wins there, too; margins differ, so there are no ties."""
    methods = pytest.importorskip("pref_voting.margin_based_methods")
    profiles = pytest.importorskip("pref_voting.profiles")
    n_cycles = 0
    for _ in range(60):
        votes = [RNG.permutation(5).tolist() for _ in range(3)]
        weights = [41, 53, 67]
        profile = profiles.Profile(votes, weights)
        counts = pairwise_counts(votes, weights=weights)
        n_cycles += profile.condorcet_winner() is None
        for method, peer in (
            (ranked_pairs, methods.ranked_pairs),
            (schulze, methods.beat_path),
        ):
            winners = peer(profile)
            assert method(counts).order[0] in winners
    assert n_cycles > 5


@pytest.mark.parametrize(
    ("rule", "peer"), [("pav", "pav"), ("cc", "cc"), ("monroe", "monroe")]
)
def test_committees_are_those_of_abcvoting(rule, peer):
    """One of all that are best there."""
    abcrules = pytest.importorskip("abcvoting.abcrules")
    preferences = pytest.importorskip("abcvoting.preferences")
    for _ in range(4):
        approvals = RNG.random((12, 8)) < 0.35
        approvals[np.arange(12), RNG.integers(8, size=12)] = True
        profile = preferences.Profile(8)
        profile.add_voters([np.flatnonzero(row).tolist() for row in approvals])
        best = abcrules.compute(peer, profile, committeesize=3, algorithm="brute-force")
        committee = select_committee(approvals, 3, rule=rule).order
        assert set(committee.tolist()) in [set(other) for other in best]


@pytest.mark.parametrize(
    ("rule", "peer"), [("phragmen", "seqphragmen"), ("equal_shares", "equal-shares")]
)
def test_procedures_are_those_of_abcvoting(rule, peer):
    """One of the committees that some way of breaking ties elects."""
    abcrules = pytest.importorskip("abcvoting.abcrules")
    preferences = pytest.importorskip("abcvoting.preferences")
    for _ in range(6):
        approvals = RNG.random((11, 7)) < 0.35
        approvals[np.arange(11), RNG.integers(7, size=11)] = True
        profile = preferences.Profile(7)
        profile.add_voters([np.flatnonzero(row).tolist() for row in approvals])
        elected = abcrules.compute(peer, profile, committeesize=3, resolute=False)
        committee = select_committee(approvals, 3, rule=rule).order
        assert set(committee.tolist()) in [set(other) for other in elected]
