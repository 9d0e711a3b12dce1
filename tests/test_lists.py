"""Packing lists into padded blocks and back."""

from itertools import combinations, pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from support.strategies import query_ids

from ltr.list_sizes import Skipping, cheapest_stretches, round_up
from ltr.lists import equal_size_blocks, pack, with_padding_rows
from ltr.queries import group_queries, group_sizes_to_qid
from ltr.scorers import AttentionScorer, LinearScorer, MLPScorer
from ltr.training.work import COMPILATION_ROWS, list_cost, skipped_work

packing = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 4),
        "max_list_sizes": st.integers(1, 8),
        "list_size_cost": st.sampled_from([0.0, 5.0, 1e9]),
        "reusable_shapes": st.booleans(),
    }
)


def lognormal_sizes(n_lists, sigma=0.476, seed=0):
    """Sizes from 5 to 400 with median 100; padding to the longest wastes 72 %."""
    sizes = np.exp(np.random.default_rng(seed).normal(np.log(100), sigma, n_lists))
    return np.clip(sizes, 5, 400).astype(int)


def batches(packed):
    """The mini-batches of one epoch."""
    return list(packed.epoch(np.random.default_rng(0)))


def padding_waste(packed):
    """Share of the rows of an epoch that are padding, partial batches included."""
    rows = np.concatenate([batch.ravel() for batch in batches(packed)])
    return np.mean(rows == packed.n_samples)


def scattered(packed, blocks):
    """Values in the shapes of the batches, in the order of the rows; NaN: no value."""
    values = np.full(packed.n_samples + 1, np.nan)
    for rows, block in zip(batches(packed), blocks, strict=True):
        values[rows] = block
    return values[:-1]


@given(qid=query_ids(), options=packing)
def test_round_trip(qid, options):
    """Values that go out in blocks come back in row order."""
    queries = group_queries(qid, len(qid))
    packed = pack(queries, **options)
    values = with_padding_rows(np.arange(1.0, len(qid) + 1))
    np.testing.assert_array_equal(
        scattered(packed, [values[rows] for rows in batches(packed)]),
        values[: len(qid)],
    )


@given(qid=query_ids(), options=packing, seed=st.integers(0, 3))
def test_an_epoch_visits_every_list_once(qid, options, seed):
    """Each row of a batch is one whole list, in whatever order."""
    queries = group_queries(qid, len(qid))
    packed = pack(queries, **options)
    visited = []
    for rows in packed.epoch(np.random.default_rng(seed)):
        assert rows.shape[0] <= max(options["batch_size"], 1)
        for row in rows:
            items = row[row < len(qid)]
            if len(items):
                visited.append(queries.codes[items[0]])
                expected = np.flatnonzero(queries.codes == visited[-1])
                np.testing.assert_array_equal(items, expected)
    assert sorted(visited) == list(range(queries.n_lists))
    assert packed.n_lists == queries.n_lists


@given(qid=query_ids(), data=st.data())
def test_rows_that_are_not_kept_vanish(qid, data):
    """keep drops rows, and lists without any."""
    n = len(qid)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    packed = pack(group_queries(qid, n), keep=keep)
    rows = np.concatenate([r.ravel() for r in batches(packed)] or [np.zeros(0, int)])
    assert sorted(rows[rows < n]) == np.flatnonzero(keep).tolist()
    ones = [np.ones(r.shape) for r in batches(packed)]
    np.testing.assert_array_equal(np.isnan(scattered(packed, ones)), ~keep)


@given(qid=query_ids())
def test_equal_size_blocks_have_no_padding(qid):
    """Blocks of lists of one size cover every row once."""
    queries = group_queries(qid, len(qid))
    rows = []
    for block in equal_size_blocks(queries, max_rows=6):
        assert block.size <= 6 or len(block) == 1
        for row in block:
            assert queries.sizes[queries.codes[row[0]]] == len(row)
        rows += block.ravel().tolist()
    assert sorted(rows) == list(range(len(qid)))


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=7), k=st.integers(1, 3))
def test_cuts_are_the_best_ones(sizes, k):
    """The dynamic program finds what trying all cuts finds."""
    sizes = np.sort(np.array(sizes))[::-1]
    batch = 2

    def cost(begin, end):
        count = end - begin
        batches = count if count <= batch else -(-count // batch) * batch
        return sizes[begin] * batches

    n = len(sizes)
    best = min(
        sum(cost(a, b) for a, b in zip((0, *inner), (*inner, n), strict=True))
        for c in range(1, min(k, n) + 1)
        for inner in combinations(range(1, n), c - 1)
    )
    qid = group_sizes_to_qid(sizes)
    packed = pack(group_queries(qid, len(qid)), batch_size=batch, max_list_sizes=k)
    visited = sum(rows.size for rows in batches(packed))
    assert visited == best
    np.testing.assert_allclose(padding_waste(packed), 1 - sizes.sum() / visited)


@pytest.mark.parametrize("n_lists", [100, 1000, 5000])
def test_padding_waste(n_lists):
    """At most 20 % of an epoch is padding, partial batches included, in 8 sizes."""
    sizes = lognormal_sizes(n_lists)
    assert 0.70 < 1 - sizes.mean() / 400 < 0.74
    qid = group_sizes_to_qid(sizes)
    packed = pack(group_queries(qid, len(qid)))
    assert len(packed.buckets) <= 8
    assert padding_waste(packed) <= 0.2


def test_small_fits_get_few_sizes():
    """When compiling costs more than padding, one size is best."""
    qid = group_sizes_to_qid(lognormal_sizes(50))
    packed = pack(group_queries(qid, len(qid)), list_size_cost=1e5)
    assert len(packed.buckets) == 1


def test_few_epochs_of_costly_lists_get_few_sizes():
    """Padding to the sizes of the coarse grid is not padding that a cut would save."""
    sizes = np.random.default_rng(0).integers(50, 151, 100)
    queries = group_queries(np.repeat(np.arange(100), sizes), int(sizes.sum()))
    options = {"list_cost": lambda n: 3.3 * n + 0.065 * n**2, "list_size_cost": 1e6}
    packed = pack(queries, **options)
    assert [bucket.list_size for bucket in packed.buckets] == [256, 128]


def test_a_giant_and_a_list_of_one():
    """A list of 50,000 gets a bucket of its own and wastes nobody's time."""
    qid = group_sizes_to_qid([50_000, *[100] * 63, 1])
    packed = pack(group_queries(qid, len(qid)))
    assert packed.buckets[0].list_size == 13 * 4096  # the next size of the grid
    assert len(packed.buckets[0].lists) == 1
    assert {bucket.list_size for bucket in packed.buckets[1:]} == {104, 1}


@given(size=st.integers(1, 10**7))
def test_grid(size):
    """The next size with four binary digits after the first, or the size itself."""
    (rounded,) = round_up(np.array([size])).tolist()
    assert size <= rounded <= size * (1 + 1 / 8)
    n_digits = len(f"{rounded:b}".rstrip("0"))
    assert n_digits <= 4
    below = np.array([n for n in range(max(1, rounded - 1), size - 1, -1)][:50])
    assert (round_up(np.append(below, rounded)) == rounded).all()


@pytest.mark.parametrize("batch_size", [1, 700, 1024, 1499, 1501, 10**9])
def test_any_batch_size(batch_size):
    """Many lists, and batches of any size; no memory in proportion to it."""
    qid = group_sizes_to_qid(1 + np.arange(1500) % 29)
    packed = pack(group_queries(qid, len(qid)), batch_size=batch_size)
    assert packed.n_lists == 1500
    assert all(len(rows) <= batch_size for rows in batches(packed))
    assert sum((rows < len(qid)).sum() for rows in batches(packed)) == len(qid)


@pytest.mark.parametrize("power", [1, 2])
def test_one_outlier_costs_little(power):
    """Though few epochs would rather pad everything than compile another shape."""
    sizes = np.random.default_rng(0).integers(50, 148, 2000)
    cost = lambda sizes: np.asarray(sizes, dtype=float) ** power

    def epoch(sizes):
        qid = group_sizes_to_qid(sizes)
        packed = pack(group_queries(qid, len(qid)), list_cost=cost, list_size_cost=1e12)
        return sum(len(rows) * cost(rows.shape[1]) for rows in batches(packed))

    assert epoch([*sizes, 656]) <= 1.5 * epoch(sizes)


def test_an_outlier_of_a_loss_on_pairs():
    """In ten epochs, other lists padded to it would cost more than a compilation."""
    sizes = [*np.random.default_rng(0).integers(20, 40, 300), 656]
    queries = group_queries(group_sizes_to_qid(sizes), sum(sizes))
    for has_pairs, shapes in (
        (False, [(32, 1024)]),
        (True, [(1, 1024), (32, 64)]),
    ):
        cost = list_cost(LinearScorer(), 50, has_pairs=has_pairs)
        assert pack(queries, list_cost=cost, list_size_cost=2e5).shapes == shapes


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    batch_size=st.integers(1, 4),
    price=st.floats(0.0, 200.0),
    skipping=st.builds(Skipping, st.floats(0.0, 1.0), st.floats(0.0, 0.5)),
)
def test_cuts_cost_least(sizes, batch_size, price, skipping):
    """Of all cuts of a small epoch, padding that is skipped included."""
    sizes = np.sort(sizes)[::-1]
    steps = 1 if round_up(sizes, 1).sum() < price else 8  # a coarse grid if it is dear

    def cost(cuts):
        total = 0.0
        for begin, end in pairwise(cuts):
            width = int(round_up(sizes[begin], steps))
            items = sizes[begin:end].sum()
            batch = min(batch_size, end - begin)
            places = -(-(end - begin) // batch) * batch * width
            gain = skipping.saved_per_padding * (places - items)
            total += price + places - max(0.0, gain - skipping.paid_per_item * items)
        return total

    inner = range(1, len(sizes))
    every = [
        cost([0, *some, len(sizes)])
        for n in range(len(sizes))
        for some in combinations(inner, n)
    ]
    found = cheapest_stretches(sizes, batch_size, 8, np.asarray, price, skipping)
    cuts = [0, *(stretch.end for stretch in found)]
    assert cuts[:-1] == [stretch.begin for stretch in found]
    np.testing.assert_allclose(cost(cuts), min(every), rtol=1e-12)


def test_padding_that_is_skipped_needs_no_shapes():
    """One padded size where the other lists would need another to fill their places."""
    sizes = [*np.random.default_rng(0).integers(5, 30, 300), 120]
    queries = group_queries(group_sizes_to_qid(sizes), sum(sizes))
    options = {"list_size_cost": 2e3, "skipping": skipped_work(MLPScorer(), 50)}
    cost = list_cost(MLPScorer(), 50)
    assert len(pack(queries, list_cost=cost, list_size_cost=2e3).shapes) > 1
    assert pack(queries, list_cost=cost, **options).shapes == [(32, 120)]


def test_comparing_items_is_not_compiled_for_little():
    """A step of attention takes three times as long to compile as one of a network."""
    sizes = np.random.default_rng(0).integers(50, 151, 100)
    queries = group_queries(group_sizes_to_qid(sizes), int(sizes.sum()))
    for n_epochs, n_shapes in (2, 2), (100, 2), (1000, 4):
        price = COMPILATION_ROWS / n_epochs
        cost = list_cost(AttentionScorer(), 50)
        packed = pack(queries, list_cost=cost, list_size_cost=price)
        assert len(packed.shapes) == n_shapes


def test_folds_share_their_shapes():
    """Sizes are rounded to a grid, and so is the number of rows."""
    sizes = lognormal_sizes(500, sigma=0.2)
    shapes = set()
    for fold in range(5):
        qid = group_sizes_to_qid(np.delete(sizes, np.s_[fold::5]))
        packed = pack(group_queries(qid, len(qid)), list_size_cost=1e4)
        n_rows = len(with_padding_rows(np.zeros(len(qid))))
        shapes |= {(n_rows, *rows.shape) for rows in batches(packed)}
    assert len(shapes) <= 4  # 10 without a grid


def test_small_folds_have_the_same_shapes():
    """Powers of two, where all epochs cost less than a compilation."""
    sizes = lognormal_sizes(500, sigma=0.2) // 8

    def fold(sizes):
        qid = group_sizes_to_qid(sizes)
        packed = pack(group_queries(qid, len(qid)), list_size_cost=2e4)
        n_rows = len(with_padding_rows(np.zeros(len(qid))))
        return {(n_rows, *rows.shape) for rows in batches(packed)}

    shapes = [fold(np.delete(sizes, np.s_[k::5])) for k in range(5)]
    assert shapes == [{(8192, 32, 32)}] * 5
    large = fold(np.tile(sizes, 20))
    assert 14 in {size for *_, size in large}  # padding counts there


@pytest.mark.parametrize("size", [1, 10, 15, 16])
def test_short_lists_are_never_padded_beyond_their_longest(size):
    """Sums over all orders of a list double with each item of padding."""
    qid = group_sizes_to_qid([size] * 5)
    packed = pack(group_queries(qid, len(qid)), list_size_cost=1e9)
    assert {rows.shape[1] for rows in batches(packed)} == {size}


def test_wide_batches_are_small():
    """A mini-batch has at most 2**18 padded rows."""
    qid = group_sizes_to_qid([20_000] * 40)
    packed = pack(group_queries(qid, len(qid)))
    assert all(rows.size <= 2**18 for rows in batches(packed))


def test_reusable_shapes_recur():
    """Pieces of a stream meet the same few shapes."""
    shapes = set()
    for seed in range(20):
        qid = group_sizes_to_qid(lognormal_sizes(40, seed=seed))
        packed = pack(group_queries(qid, len(qid)), reusable_shapes=True)
        shapes |= {rows.shape for rows in batches(packed)}
    assert len(shapes) <= 20
    assert len(with_padding_rows(np.zeros(1000), reusable_shape=True)) == 1024


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_a_stream_fill_their_batches(seed):
    """A mini-batch has the width of its longest list; only the last one has room."""
    sizes = lognormal_sizes(60, seed=seed)
    widths = sorted(np.random.default_rng(seed).choice(sizes, 3).tolist())
    qid = group_sizes_to_qid(sizes)
    packed = pack(group_queries(qid, len(qid)), batch_size=8, widths=widths)
    rest, expected = sorted(sizes.tolist(), reverse=True), []
    while rest:
        fits = [width for width in widths if width >= rest[0]]
        width = fits[0] if fits else int(round_up(np.array(rest[0])))
        expected.append((width, rest[:8]))
        rest = rest[8:]
    filled = []
    for bucket in packed.buckets:
        counts = (bucket.rows < len(qid)).sum(axis=1).tolist()
        for begin in range(0, len(counts), bucket.batch_size):
            filled.append((bucket.list_size, counts[begin : begin + 8]))
    assert filled == expected
    assert packed.n_batches == -(-60 // 8)
