"""Training on data that pass by in pieces, larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import jax
import numpy as np
from sklearn.utils import check_random_state

from ltr.lists import (
    PackedLists,
    Shape,
    aligned_zeros,
    pack,
    padded_length,
)
from ltr.queries import Queries
from ltr.rankers.inputs import TrainingSet, joined_rows
from ltr.rankers.neural.identity import open_checkpoint
from ltr.rankers.neural.options import TrainingOptions
from ltr.rankers.neural.placement import packing_costs
from ltr.rankers.neural.pooling import ScoreItems, validation_metrics
from ltr.rankers.neural.scaling import Scaling, fit_scaling, transform_into
from ltr.rankers.neural.source import Piece, Source
from ltr.rankers.neural.training import (
    LearnedState,
    RankerOf,
    check_start,
    draw_parameters,
    learned_state,
    lists_to_train,
    make_plan,
    make_schedule,
    ranker_maker,
    step_numbers,
)
from ltr.rankers.neural.watching import epoch_watcher
from ltr.rankers.sparse_features import is_sparse
from ltr.rankers.validation import validation_rows
from ltr.rankers.warning import warn
from ltr.training import Data, TrainingPlan, TrainingResult, train
from ltr.training.batches import Rows, batches_of
from ltr.training.convergence import epoch_limits
from ltr.training.devices import find_mesh
from ltr.training.hosts import Hosts
from ltr.training.padding import skip_padding
from ltr.training.sparse_rows import place_rows

_SAMPLED_PIECES = 4
_MANY_STEPS = 10**6

CheckPiece = Callable[[Piece], TrainingSet]


class StreamedLists:
    """Lists that pass by: a buffer of some pieces at a time is on the device.

    Parameters
    ----------
    source : Source
        The pieces.
    check : callable
        Piece → checked rows.
    plan : TrainingPlan
        Scorer, loss and optimizer.
    options : TrainingOptions
        How to train.
    sample : list of TrainingSet
        Some pieces: they decide the padded sizes of lists and the scaling.
    scaling : FeatureScaling, ListScaling or None
        That of a fit that goes on. None: fitted on the sample.
    n_rows : int
        Rows that a buffer has room for; a longer one makes room for itself.
    has_validation : bool
        Whether there are validation rows, on which training may stop early.
    """

    def __init__(
        self,
        source: Source,
        check: CheckPiece,
        plan: TrainingPlan,
        options: TrainingOptions,
        sample: list[TrainingSet],
        scaling: Scaling | None,
        n_rows: int,
        has_validation: bool,
    ) -> None:
        self._source, self._check, self._plan = source, check, plan
        self._options, self._n_rows = options, n_rows
        self._has_validation = has_validation
        self.n_lists = 0
        self._widths: Sequence[int] = ()
        self.scaling = scaling
        self._is_sparse = is_sparse(sample[0].X)
        self._check_kind(sample)
        if scaling is None and not options.keeps_features:
            rows = joined_rows([data.X for data in sample])
            self.scaling = fit_scaling(rows, None, options.preprocess)
        n_sampled = sum(len(data.y) for data in sample)
        # rows of an epoch for each of the sample, which has a part of what they cost
        self._ratio = 1.0 if source.n_rows is None else source.n_rows / n_sampled
        sampled = self._pack(sample)
        self._widths = [bucket.list_size for bucket in sampled.buckets]
        self._padding_share = sampled.padding_share
        self.n_steps = (
            _MANY_STEPS
            if source.n_rows is None
            else int(np.ceil(self._ratio * sampled.n_lists / options.batch_size))
        )
        self.data, self.packed = self._load(sample[:2])

    @property
    def batch_size(self) -> int:
        """Lists in a full mini-batch."""
        return self._options.batch_size

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of the mini-batches of the first buffer."""
        return self.packed.shapes

    @property
    def batches(self) -> list[jax.ShapeDtypeStruct]:
        """Mini-batches of these shapes."""
        return batches_of(self.shapes)

    @property
    def steps_per_epoch(self) -> int | None:
        """Mini-batches of an epoch, as far as the sample tells."""
        return None if self._source.n_rows is None else self.n_steps

    def epoch(
        self, number: int, rng: np.random.Generator
    ) -> Iterator[tuple[Data, Rows]]:
        """Mini-batches of each buffer in random order."""
        n_lists = 0
        for pieces in self._source.epoch(number, rng):
            data, packed = self._load([self._check(piece) for piece in pieces])
            n_lists += packed.n_lists
            yield from ((data, rows) for rows in packed.epoch(rng))
        if not n_lists and not number:
            warn(
                "No list of source has two distinct labels, so no order can be "
                "learned. Check y and qid: items that compete must share a qid."
            )
        self.n_lists = max(n_lists, 1)

    def _load(self, sets: list[TrainingSet]) -> tuple[Data, PackedLists]:
        """Scaled rows on the device, and their lists."""
        self._check_kind(sets)
        n_samples = sum(len(data.y) for data in sets)
        n_rows = max(self._n_rows, padded_length(n_samples))
        dtype = self._options.array_dtype
        packed = self._pack(sets)
        y, list_weights = np.zeros(n_rows, dtype), np.zeros(n_rows, dtype)
        end = 0
        for data in sets:
            begin, end = end, end + len(data.y)
            y[begin:end], list_weights[begin:end] = data.y, 1.0
        labels, weights = (jax.device_put(x) for x in (y, list_weights))
        features = self._place_features(sets, packed, n_rows)
        rows = Data(n_samples, features, labels, None, weights, {})
        rows = skip_padding(
            self._plan,
            rows,
            n_features=sets[0].X.shape[1],
            padding_share=self._padding_share,
        )
        return rows, packed

    def _place_features(
        self, sets: list[TrainingSet], packed: PackedLists, n_rows: int
    ) -> Any:
        """Scaled features of the sets, one after the other, on the device."""
        dtype, scaling = self._options.array_dtype, self.scaling
        if self._is_sparse:
            tables = [
                data.X if scaling is None else scaling.transform(data.X, data.queries)
                for data in sets
            ]
            return place_rows(joined_rows(tables), packed, dtype, is_reusable=True)
        X = aligned_zeros((n_rows, sets[0].X.shape[1]), dtype)
        end = 0
        for data in sets:
            begin, end = end, end + len(data.y)
            transform_into(X[begin:end], data.X, scaling, data.queries, None)
        return jax.device_put(X)

    def _check_kind(self, sets: list[TrainingSet]) -> None:
        """Raise unless all features are sparse, or none."""
        if any(is_sparse(data.X) != self._is_sparse for data in sets):
            raise ValueError(
                "source must have features of one kind in all pieces; got sparse "
                "matrices and arrays. Convert the arrays by scipy.sparse.csr_matrix."
            )

    def _pack(self, sets: list[TrainingSet]) -> PackedLists:
        """Informative lists of the sets, one after the other, in padded shapes."""
        costs = packing_costs(
            self._options, sets[0].X, has_validation=self._has_validation
        )
        costs["list_size_cost"] /= self._ratio
        trained = [lists_to_train(self._options, self._plan, data) for data in sets]
        keep = [t[data.queries.codes] for t, data in zip(trained, sets, strict=True)]
        return pack(
            _joined([data.queries for data in sets]),
            keep=np.concatenate(keep),
            batch_size=self._options.batch_size,
            widths=self._widths,
            **costs,
        )


def train_stream(
    options: TrainingOptions,
    source: Source,
    check: CheckPiece,
    validation: TrainingSet | None,
    start: LearnedState | None,
    *,
    buffer_rows: int,
    score_items: ScoreItems,
    member: int = 0,
    n_before: int = 0,
    ranker_of: RankerOf | None = None,
) -> tuple[LearnedState, TrainingResult]:
    """Train a scorer on a stream, see :func:`train_scorer`.

    Parameters
    ----------
    options : TrainingOptions
        Scorer, loss, and how to train.
    source : Source
        The pieces.
    check : callable
        Piece → checked rows.
    validation : TrainingSet or None
        Validation rows.
    start : LearnedState or None
        State to continue from. None: draw new parameters.
    buffer_rows : int
        Rows in memory at a time.
    score_items : callable
        How the trained scorer will score the items of validation lists.
    member : int, default=0
        Number within an ensemble.
    n_before : int, default=0
        Epochs of earlier fits, for callbacks.
    ranker_of : callable, optional
        State → ranker that a callback can predict with.

    Returns
    -------
    state : LearnedState
    result : TrainingResult
    """
    seed = int(check_random_state(options.random_state).randint(2**31 - 1))
    sample = [
        _checked(check, options, piece) for piece in source.sample(_SAMPLED_PIECES)
    ]
    check_start(options, start, sample[0].X)
    checkpoint = None
    if options.checkpoint_dir is not None:
        parts = source.in_order() if source.n_rows is not None else ()
        pieces = (_checked(check, options, piece) for piece in parts)
        sets = chain(sample, pieces, [validation])
        checkpoint = open_checkpoint(options, sets, start, member, is_stream=True)
    if checkpoint is not None:
        seed = checkpoint.seed = checkpoint.seed if checkpoint.exists else seed
    rng = np.random.default_rng([seed, member])
    plan, loss_numbers = make_plan(options, sample[0])
    longest = max(len(data.y) for data in sample)
    n_rows = longest if source.n_rows is None else min(buffer_rows, source.n_rows)
    lists = StreamedLists(
        source,
        lambda piece: _checked(check, options, piece),
        plan,
        options,
        sample,
        start.scaling if start else None,
        padded_length(n_rows),
        validation is not None,
    )
    n_features = sample[0].X.shape[1]
    del sample
    is_known = source.n_rows is not None
    numbers = step_numbers(
        options,
        loss_numbers,
        n_features=n_features,
        n_rows=None if source.n_rows is None else float(source.n_rows),
        n_steps=lists.n_steps if is_known else None,
    )
    limits = epoch_limits(
        options.max_epochs,
        options.n_iter_no_change,
        n_steps=lists.n_steps,
        is_linear=options.scorer.is_linear,
        has_schedule=options.schedule is not None,
        selects=bool(options.stopping.enabled),
    )
    rows = None
    if validation is not None:
        held_out = np.zeros(validation.queries.n_lists, dtype=bool)
        rows = validation_rows(validation, held_out, validation, options.stopping)
        if rows is not None and lists.scaling is not None:
            rows = rows._replace(X=lists.scaling.transform(rows.X, rows.queries))
    with jax.enable_x64(options.dtype == "float64"):
        params, optimizer_state = draw_parameters(
            plan, start, n_features, options.array_dtype, int(rng.integers(2**31))
        )
        result = train(
            plan,
            params,
            optimizer_state,
            lists,
            numbers=numbers,
            rng=rng,
            limits=limits,
            start_params=start.params if start else None,
            validate=validation_metrics(
                options.scorer, rows, options.stopping, score_items
            ),
            schedule=make_schedule(options, numbers, limits),
            on_epoch=epoch_watcher(
                options,
                limits.max_epochs,
                n_before=n_before,
                member=member,
                make_ranker=ranker_maker(options, lists.scaling, None, ranker_of),
            ),
            checkpoint=checkpoint,
            hosts=Hosts(find_mesh(options.devices)),
        )
    result.validation = rows
    return learned_state(options, lists.scaling, result), result


def _checked(check: CheckPiece, options: TrainingOptions, piece: Piece) -> TrainingSet:
    """Rows of a piece, whose labels fit the loss, too."""
    data = check(piece)
    with piece.in_errors():
        make_plan(options, data)
    return data


def _joined(parts: list[Queries]) -> Queries:
    """Queries of rows that come one after the other; none is in two parts."""
    n_before = np.cumsum([0, *(part.n_lists for part in parts)])
    codes = [part.codes + n for part, n in zip(parts, n_before[:-1], strict=True)]
    return Queries(np.concatenate(codes), np.arange(n_before[-1]))
