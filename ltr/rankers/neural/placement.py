"""From checked rows to the arrays that a step of training reads, on the device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ltr.list_sizes import NO_SKIPPING, ListCost
from ltr.lists import (
    PackedLists,
    aligned_zeros,
    pack,
    padded_length,
    with_padding_rows,
)
from ltr.losses.declaration import loss_info
from ltr.queries import BoolArray
from ltr.rankers.inputs import TrainingSet
from ltr.rankers.neural.options import TrainingOptions
from ltr.rankers.neural.scaling import Scaling, transform_into
from ltr.rankers.query_features import JoinedRows
from ltr.rankers.sparse_features import is_sparse
from ltr.scorers import ModuleScorer
from ltr.training import Data, StepNumbers, TrainingPlan
from ltr.training.batches import batches_of
from ltr.training.convergence import AUTO_EPOCHS
from ltr.training.hosts import Hosts
from ltr.training.masks import is_ours
from ltr.training.optimizers import OPTIMIZERS
from ltr.training.padding import skip_padding
from ltr.training.pair_table import PairScaling, PairTable
from ltr.training.programs import Programs
from ltr.training.query_rows import QueryRows
from ltr.training.shares import pack_share
from ltr.training.sparse_rows import SparseRows, place_rows
from ltr.training.steps import lower_steps
from ltr.training.work import (
    COMPILATION_ROWS,
    SHORT_STEP,
    STEPS_PER_CALL,
    list_cost,
    skipped_work,
)

_STOPPED_EPOCHS = 40


def pack_lists(
    options: TrainingOptions,
    data: TrainingSet,
    lists: BoolArray,
    hosts: Hosts,
    has_validation: bool,
) -> tuple[PackedLists, float]:
    """The lists to train on in buckets, and the weight of their rows in all processes.

    With several of them, each has the same number of rows, padding included.
    """
    has_part = lists[data.queries.codes]
    keep = has_part & data.has_weight
    n_rows = float((has_part if data.weights is None else data.weights[has_part]).sum())
    batch_size = int(options.batch_size)
    costs = packing_costs(options, data.X, has_validation=has_validation)
    if hosts.n == 1:
        packed = pack(
            data.queries,
            keep=keep,
            batch_size=batch_size,
            reusable_shapes=options.is_stream,
            **costs,
        )
        return packed, n_rows
    assert hosts.mesh is not None
    sizes = np.bincount(data.queries.codes[keep], minlength=data.queries.n_lists)
    length = hosts.greatest(np.array([padded_length(len(data.y))]))
    packed = pack_share(
        data.queries,
        keep=keep,
        sizes=hosts.gathered(sizes),
        process=hosts.index,
        n_devices=hosts.mesh.size // hosts.n,
        padding=int(length[0]) - 1,
        batch_size=batch_size,
        **costs,
    )
    return packed, hosts.total(n_rows)


def with_steps_per_call(
    plan: TrainingPlan,
    options: TrainingOptions,
    data: TrainingSet,
    packed: PackedLists,
    hosts: Hosts,
) -> TrainingPlan:
    """The plan, with several steps in a call of the program if that takes less time.

    On a CPU a call costs a tenth of a millisecond: short steps on mini-batches of one
    shape share it. What a loop carries must keep its types, which the state of an
    optimizer of the user's own need not. Scorers and losses of their own may call back
    to Python, and are traced with no loop between them and their errors.

    Parameters
    ----------
    plan, options, data, packed, hosts
        As for :func:`place_data`.

    Returns
    -------
    plan : TrainingPlan
    """
    scores_by_ours = type(plan.scorer).__module__.startswith("ltr.scorers.")
    is_plain = (
        scores_by_ours
        and not isinstance(plan.scorer, ModuleScorer)
        and is_ours(plan.loss.function)
        and plan.optimizer in OPTIMIZERS.values()
    )
    one_cpu = hosts.mesh is None and jax.default_backend() == "cpu"
    is_one_loop = len(packed.shapes) == 1 and packed.n_batches > 1
    if options.is_stream or not (is_plain and one_cpu and is_one_loop):
        return plan
    ((n_lists, size),) = packed.shapes
    work = n_lists * _list_cost(options, data.X)(np.array([size]))[0]
    return replace(plan, steps_per_call=STEPS_PER_CALL if work <= SHORT_STEP else 1)


def compile_early(
    plan: TrainingPlan,
    state: tuple[Any, Any],
    numbers: StepNumbers,
    options: TrainingOptions,
    data: TrainingSet,
    packed: PackedLists,
    hosts: Hosts,
) -> Programs | None:
    """Begin to compile the steps of a fit, before its rows are scaled and placed.

    Parameters
    ----------
    plan, state, numbers
        As for :func:`ltr.training.steps.lower_steps`.
    options, data, packed, hosts
        As for :func:`place_data`.

    Returns
    -------
    programs : Programs or None
        None if the arrays are not those of dense features on one device, for a loss of
        the user's own, which is tried first, and for no epochs.
    """
    is_dense = not (isinstance(data.X, JoinedRows) or is_sparse(data.X))
    is_plain = is_dense and data.pairs is None and hosts.mesh is None
    if not (is_plain and options.max_epochs and is_ours(plan.loss.function)):
        return None
    n_rows = padded_length(len(data.y), options.is_stream)

    def outline(*shape: int) -> Any:
        return jax.ShapeDtypeStruct((n_rows, *shape), np.dtype(options.array_dtype))

    rows = Data(
        n_samples=packed.n_samples,
        X=outline(data.X.shape[1]),
        y=outline(),
        weights=None if data.weights is None else outline(),
        list_weights=outline(),
        extras={name: outline() for name in data.extras},
    )
    rows = _skip_padding(plan, options, data, rows, packed)
    programs = Programs()
    for step in lower_steps(plan, state, numbers, rows, batches_of(packed.shapes)):
        programs.add(step)
    return programs


def place_data(
    plan: TrainingPlan,
    options: TrainingOptions,
    data: TrainingSet,
    scalings: tuple[Scaling | None, PairScaling | None],
    trained_lists: BoolArray,
    packed: PackedLists,
    hosts: Hosts,
) -> Data:
    """Rows with their padding, on the device.

    Features are scaled into the buffer that the device then reads, if it is the CPU.

    Parameters
    ----------
    plan : TrainingPlan
        What a step does.
    options : TrainingOptions
        Precision, and whether the rows are a piece of a stream.
    data : TrainingSet
        Checked rows.
    scalings : (FeatureScaling, ListScaling or None) and (PairScaling or None)
        What the features go through, and those of pairs.
    trained_lists : bool array of shape (n_lists,)
        Lists whose weights have the mean 1.
    packed : PackedLists
        The same lists, in mini-batches.
    hosts : Hosts
        Processes that train together: each places as many rows.

    Returns
    -------
    data : Data
    """
    scaling, pair_scaling = scalings
    n_rows = padded_length(len(data.y), options.is_stream)
    if hosts.n > 1:
        n_rows = packed.n_samples + 1

    def put(values: NDArray[Any], dtype: Any = options.array_dtype) -> jax.Array:
        padded = np.zeros((n_rows, *values.shape[1:]), dtype)
        padded[: len(values)] = values
        return jnp.asarray(padded)

    def put_features() -> jax.Array | SparseRows | QueryRows:
        is_joined = isinstance(data.X, JoinedRows)
        table: Any = data.X
        if scaling is not None and (is_joined or is_sparse(table)):
            table = scaling.transform(table, data.queries)
        if is_joined:
            codes = np.full(n_rows, len(table.of_queries))
            codes[: len(data.y)] = table.codes
            of_queries = jnp.asarray(
                with_padding_rows(
                    table.of_queries, options.array_dtype, options.is_stream
                )
            )
            return QueryRows(
                of_queries, put(table.of_items), jnp.asarray(codes, jnp.int32)
            )
        if is_sparse(table):
            return place_rows(
                table, packed, options.array_dtype, is_reusable=options.is_stream
            )
        X = aligned_zeros((n_rows, data.X.shape[1]), options.array_dtype)
        transform_into(X, data.X, scaling, data.queries, data.weights)
        return jax.device_put(X, may_alias=True)

    def put_pairs(table: PairTable) -> PairTable:
        values = table.scaled(pair_scaling).values
        length = np.array([padded_length(len(values), options.is_stream)])
        entries = np.zeros(
            (hosts.greatest(length)[0], values.shape[1]), options.array_dtype
        )
        entries[: len(values)] = values
        # for padding: any pair will do
        columns = (put(column, np.int32) for column in (table.base, table.position))
        return PairTable(jnp.asarray(entries), *columns)

    list_weights = np.ones(len(trained_lists))
    n_trained = hosts.total(float(trained_lists.sum()))
    if data.list_weights is not None and n_trained:
        total = hosts.total(float(data.list_weights[trained_lists].sum()))
        list_weights = data.list_weights / (total / n_trained)
    rows = Data(
        n_samples=packed.n_samples,
        X=put_features(),
        y=put(data.y),
        weights=None if data.weights is None else put(data.weights),
        list_weights=put(list_weights[data.queries.codes]),
        extras={name: put(values) for name, values in data.extras.items()},
        pairs=None if data.pairs is None else put_pairs(data.pairs),
    )
    return _skip_padding(plan, options, data, rows, packed)


def _skip_padding(
    plan: TrainingPlan,
    options: TrainingOptions,
    data: TrainingSet,
    rows: Data,
    packed: PackedLists,
) -> Data:
    share = 1.0 if options.is_stream else packed.padding_share
    return skip_padding(plan, rows, n_features=data.X.shape[1], padding_share=share)


def values_of_row(X: Any) -> int:
    """Values of a row that a step multiplies."""
    if is_sparse(X):
        return max(1, round(X.nnz / X.shape[0]))
    return int(X.shape[1])


def packing_costs(
    options: TrainingOptions, X: Any, *, has_validation: bool
) -> dict[str, Any]:
    """What :func:`ltr.lists.pack` is to know of a fit's steps.

    Parameters
    ----------
    options : TrainingOptions
        Scorer, loss and number of epochs.
    X : array or sparse matrix of shape (n_samples, n_features)
        Features.
    has_validation : bool
        Whether there are validation rows, on which training may stop early.

    Returns
    -------
    costs : dict
        ``list_cost``, ``list_size_cost`` and ``skipping``.
    """
    scorer, n_values = options.scorer, values_of_row(X)
    n_epochs = likely_epochs(options, has_validation=has_validation)
    return {
        "list_cost": _list_cost(options, X),
        "list_size_cost": COMPILATION_ROWS / max(n_epochs, 1),
        "skipping": NO_SKIPPING if is_sparse(X) else skipped_work(scorer, n_values),
    }


def _list_cost(options: TrainingOptions, X: Any) -> ListCost:
    """Padded sizes of lists → work of a step for each."""
    has_pairs = loss_info(options.loss).curvature == "pairs"
    return list_cost(options.scorer, values_of_row(X), has_pairs=has_pairs)


def likely_epochs(options: TrainingOptions, *, has_validation: bool) -> int:
    """Number of epochs to expect.

    Fits that stop early take 35 on average on MQ2008: four rankers, five folds, seeds.
    """
    most = AUTO_EPOCHS if isinstance(options.max_epochs, str) else options.max_epochs
    stops_early = has_validation and options.stopping.enabled
    return min(most, _STOPPED_EPOCHS) if stops_early else most
