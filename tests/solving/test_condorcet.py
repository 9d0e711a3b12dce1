"""Ranked pairs and Schulze's method: definitions, laws, ties."""

import re
from itertools import pairwise, permutations, product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from ltr.solvers import pairwise_counts, ranked_pairs, schulze

FEW = settings(max_examples=20)
METHODS = [ranked_pairs, schulze]
STRENGTHS = ["margin", "winning"]


@st.composite
def count_matrices(draw, max_items=5, greatest=5):
    """Small whole counts, where ties and cycles are common."""
    n = draw(st.integers(1, max_items))
    row = st.lists(st.integers(0, greatest), min_size=n, max_size=n)
    counts = np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=float)
    np.fill_diagonal(counts, 0)
    return counts


@st.composite
def elections(draw, max_items=5):
    """Complete strict rankings, as an int array of shape (n_votes, n)."""
    n = draw(st.integers(2, max_items))
    return np.array(draw(st.lists(st.permutations(range(n)), min_size=1, max_size=7)))


def majorities(counts, strength):
    """Strength of each majority, {(winner, loser): strength}."""
    return {
        (i, j): counts[i, j] - (counts[j, i] if strength == "margin" else 0)
        for i, j in permutations(range(len(counts)), 2)
        if counts[i, j] > counts[j, i]
    }


def closed(pairs):
    """Transitive closure of a set of pairs."""
    pairs = set(pairs)
    while True:
        more = {(a, d) for (a, b), (c, d) in product(pairs, pairs) if b == c} - pairs
        if not more:
            return pairs
        pairs |= more


def locked_pairs(sequence):
    """Tideman's rule, word for word."""
    locked = set()
    for pair in sequence:
        union = closed(locked | {pair})
        if not any(a == b for a, b in union):
            locked = union
    return locked


def chain_strengths(strengths, n):
    """The strongest chain between two items, over all simple chains."""
    best = {}
    for length in range(2, n + 1):
        for chain in permutations(range(n), length):
            links = [strengths.get(link, -1) for link in pairwise(chain)]
            ends = chain[0], chain[-1]
            best[ends] = max(best.get(ends, -1), min(links))
    return best


def extensions(pairs, n):
    """All orders that keep a set of pairs."""
    return [
        order
        for order in permutations(range(n))
        if all(order.index(i) < order.index(j) for i, j in pairs)
    ]


def smith_set(counts):
    """The smallest set of items that all beat every other item."""
    n = len(counts)
    for size in range(1, n + 1):
        order = np.argsort(-(counts > counts.T).sum(axis=1), kind="stable")
        inside, outside = order[:size], order[size:]
        if (counts > counts.T)[np.ix_(inside, outside)].all():
            return set(inside.tolist())
    raise AssertionError


@FEW
@given(count_matrices(), st.sampled_from(STRENGTHS), st.randoms(use_true_random=False))
def test_ranked_pairs_by_definition(counts, strength, random):
    """The stated sequence of ties, and the first extension of what it locks."""
    n = len(counts)
    tie_break = random.sample(range(n), n)
    place = tie_break.index
    strengths = majorities(counts, strength)
    sequence = sorted(
        strengths, key=lambda p: (-strengths[p], place(p[0]), place(p[1]))
    )
    locked = locked_pairs(sequence)
    result = ranked_pairs(counts, strength=strength, tie_break=tie_break)
    assert set(zip(*np.nonzero(result.beats), strict=True)) == locked
    first = min(extensions(locked, n), key=lambda order: [place(i) for i in order])
    assert result.order.tolist() == list(first)


@FEW
@given(count_matrices(max_items=4, greatest=2), st.sampled_from(STRENGTHS))
def test_ranked_pairs_is_unique(counts, strength):
    """Over every sequence of equally strong majorities, and every extension."""
    strengths = majorities(counts, strength)
    sequences = (
        sequence
        for sequence in permutations(strengths)
        if all(strengths[p] >= strengths[q] for p, q in pairwise(sequence))
    )
    relations = {frozenset(locked_pairs(sequence)) for sequence in sequences}
    orders = {o for locked in relations for o in extensions(locked, len(counts))}
    result = ranked_pairs(counts, strength=strength)
    assert tuple(result.order) in orders
    assert result.is_unique == (len(orders) == 1)


@FEW
@given(count_matrices(), st.sampled_from(STRENGTHS), st.randoms(use_true_random=False))
def test_schulze_by_definition(counts, strength, random):
    """All chains, and the first of all extensions."""
    n = len(counts)
    tie_break = random.sample(range(n), n)
    chains = chain_strengths(majorities(counts, strength), n)
    before = {(i, j) for i, j in chains if chains[i, j] > chains[j, i]}
    orders = extensions(before, n)
    result = schulze(counts, strength=strength, tie_break=tie_break)
    assert set(zip(*np.nonzero(result.beats), strict=True)) == before
    first = min(orders, key=lambda order: [tie_break.index(i) for i in order])
    assert result.order.tolist() == list(first)
    assert result.is_unique == (len(orders) == 1)


@pytest.mark.parametrize("method", METHODS)
@FEW
@given(count_matrices(), st.sampled_from(STRENGTHS))
def test_smith_set_is_first(method, counts, strength):
    """Of one item: the Condorcet winner."""
    smith = smith_set(counts)
    order = method(counts, strength=strength).order.tolist()
    assert set(order[: len(smith)]) == smith


@pytest.mark.parametrize("method", METHODS)
@FEW
@given(count_matrices())
def test_reversal(method, counts):
    """Votes upside down give the order upside down, if ties do not matter."""
    result = method(counts, strength="margin")
    other = method(counts.T, strength="margin")
    assert result.is_unique == other.is_unique
    if result.is_unique:
        assert other.order.tolist() == result.order[::-1].tolist()


@pytest.mark.parametrize("method", METHODS)
@FEW
@given(count_matrices(), st.randoms(use_true_random=False))
def test_renumbering(method, counts, random):
    """Other numbers of the items give the same order, if ties do not matter."""
    new = np.array(random.sample(range(len(counts)), len(counts)))
    result, other = method(counts), method(counts[np.ix_(new, new)])
    assert result.is_unique == other.is_unique
    if result.is_unique:
        assert new[other.order].tolist() == result.order.tolist()


@pytest.mark.parametrize("method", METHODS)
@FEW
@given(elections(), st.data())
def test_clones(method, votes, data):
    """A clone next to an item in each vote does not change who else wins."""
    n = votes.shape[1]
    item = data.draw(st.integers(0, n - 1))
    above = data.draw(st.lists(st.booleans(), min_size=len(votes), max_size=len(votes)))
    cloned = [
        np.insert(vote, np.flatnonzero(vote == item)[0] + (not is_above), n)
        for vote, is_above in zip(votes, above, strict=True)
    ]
    result, other = method(pairwise_counts(votes)), method(pairwise_counts(cloned))
    if result.is_unique and other.is_unique:
        winner = int(other.order[0])
        assert result.order[0] == (item if winner == n else winner)


@pytest.mark.parametrize("method", METHODS)
@FEW
@given(elections(), st.data())
def test_monotonicity(method, votes, data):
    """A winner that one vote raises stays the winner."""
    before = method(pairwise_counts(votes))
    winner = before.order[0]
    row = data.draw(st.integers(0, len(votes) - 1))
    position = int(np.flatnonzero(votes[row] == winner)[0])
    target = data.draw(st.integers(0, position))
    raised = votes.copy()
    raised[row] = np.insert(np.delete(votes[row], position), target, winner)
    after = method(pairwise_counts(raised))
    if before.is_unique and after.is_unique:
        assert after.order[0] == winner


def test_published_example():
    """Schulze (2011), example 1: 21 voters elect d, with the order d, a, c, b."""
    # a, b, c, d = 0, 1, 2, 3
    votes = [[0, 3, 2, 1], [1, 0, 3, 2], [2, 1, 3, 0], [3, 1, 0, 2], [3, 2, 1, 0]]
    counts = pairwise_counts(votes, weights=[8, 2, 4, 4, 3])
    assert schulze(counts).order.tolist() == [3, 0, 2, 1]
    assert schulze(counts).is_unique


@pytest.mark.parametrize("method", METHODS)
def test_sums_of_weights_tie(method):
    """.1 + .2 votes against .3 are a tie, however they are rounded."""
    votes, weights = [[0, 1], [0, 1], [1, 0]], [0.1, 0.2, 0.3]
    result = method(pairwise_counts(votes, weights=weights), tie_break=[1, 0])
    assert (result.order.tolist(), result.is_unique) == ([1, 0], False)
    assert method(np.zeros((0, 0))).order.tolist() == []
    assert method([[0]]).is_unique


@pytest.mark.parametrize("method", METHODS)
def test_messages(method):
    """Of arguments that are not understood."""
    text = "tie_break must have each of the items 0, …, 1 once; got [0, 0]."
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        method([[0, 1], [0, 0]], tie_break=[0, 0])
    text = "strength must be one of 'margin', 'winning'; got 'votes'."
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        method([[0, 1], [0, 0]], strength="votes")
