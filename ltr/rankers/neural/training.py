"""From checked data to trained parameters: what happens inside fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.utils import check_random_state

from ltr.deadline import has_deadline
from ltr.lists import PackedLists
from ltr.queries import BoolArray, Queries, group_queries
from ltr.rankers.inputs import TrainingSet, check_single_precision
from ltr.rankers.loss_inputs import check_loss_inputs, learns_from
from ltr.rankers.neural.fitted import FittedScorer
from ltr.rankers.neural.identity import open_checkpoint
from ltr.rankers.neural.linear_path import fit_linear_path
from ltr.rankers.neural.options import Replay, TrainingOptions
from ltr.rankers.neural.placement import (
    compile_early,
    pack_lists,
    place_data,
    with_steps_per_call,
)
from ltr.rankers.neural.pooling import (
    ScoreItems,
    draw_held_out,
    pooled_validation,
    validation_metrics,
    warn_if_none_has_order,
)
from ltr.rankers.neural.scaling import FeatureScaling, Scaling, fit_scaling
from ltr.rankers.neural.watching import MakeRanker, epoch_watcher
from ltr.rankers.sparse_features import is_sparse
from ltr.rankers.validation import ValidationRows
from ltr.scorers import PairScorer, PublishedPairScorer, Scorer
from ltr.scorers.draws import seed_key
from ltr.training import (
    Schedule,
    StepNumbers,
    TrainingPlan,
    TrainingResult,
    get_optimizer,
    plan_loss,
    train,
)
from ltr.training.batches import ResidentLists
from ltr.training.convergence import EpochLimits, epoch_limits
from ltr.training.devices import devices_of_plan, find_mesh
from ltr.training.hosts import Hosts
from ltr.training.memory import check_parameters
from ltr.training.optimizers import auto_decay, auto_rate
from ltr.training.pair_table import PairScaling, fit_pair_scaling
from ltr.training.steps import init_optimizer

# What a fit has learned so far → a fitted ranker.
RankerOf = Callable[["LearnedState"], Any]


class LearnedState(NamedTuple):
    """What a fit leaves behind, as NumPy arrays.

    Attributes
    ----------
    scorer : Scorer
        What the parameters belong to.
    params : pytree of arrays
        Parameters of the scorer to predict with.
    scaling : FeatureScaling, ListScaling or None
        What the features go through first.
    last_params : pytree of arrays or None
        Parameters to train on from; None: ``params``.
    optimizer_leaves : list of arrays or None
        Leaves of the optimizer state to train on with; None: a fresh one.
    pair_scaling : PairScaling or None
        What the features of pairs go through first.
    """

    scorer: Scorer
    params: Any
    scaling: Scaling | None
    last_params: Any = None
    optimizer_leaves: list[Any] | None = None
    pair_scaling: PairScaling | None = None

    @property
    def fitted(self) -> FittedScorer:
        """What predicts."""
        return FittedScorer(self.scorer, self.params, self.scaling)


Learned = LearnedState  # the name under which ltr 0.1 pickled it


def train_scorer(
    options: TrainingOptions,
    data: TrainingSet,
    validation: TrainingSet | None,
    start: LearnedState | None,
    *,
    score_items: ScoreItems = FittedScorer.scores,
    member: int = 0,
    n_before: int = 0,
    ranker_of: RankerOf | None = None,
) -> tuple[LearnedState, TrainingResult]:
    """Train a scorer on checked data.

    Parameters
    ----------
    options : TrainingOptions
        Scorer, loss, and how to train.
    data : TrainingSet
        Training rows.
    validation : TrainingSet or None
        Validation rows, if some were passed to ``fit``.
    start : LearnedState or None
        State to continue from. None: draw new parameters.
    score_items : callable, default=FittedScorer.scores
        How the trained scorer will score the items of validation lists.
    member : int, default=0
        Number within an ensemble: with one ``random_state``, members hold out the same
        lists, but draw other weights and another order of the lists.
    n_before : int, default=0
        Epochs of earlier fits, for callbacks.
    ranker_of : callable, optional
        State → ranker that a callback can predict with.

    Returns
    -------
    state : LearnedState
    result : TrainingResult
        Its ``validation`` are the scaled ValidationRows, or None.

    Raises
    ------
    ValueError
        If the loss does not fit the data, or the scorer does not fit ``start``.
    """
    hosts = Hosts(find_mesh(options.devices))
    with hosts.together():
        plan, loss_numbers = make_plan(options, data)
        check_start(options, start, data.X)
    if not options.in_batch:
        warn_if_none_has_order(hosts, data)
    seed = int(check_random_state(options.random_state).randint(2**31 - 1))
    seed = int(hosts.gathered(np.array([seed]))[0][0])
    checkpoint = open_checkpoint(
        options, [data, validation], start, member, hosts=hosts
    )
    if checkpoint is not None:
        seed = checkpoint.seed = checkpoint.seed if checkpoint.exists else seed
    rng = np.random.default_rng(seed)
    informative = lists_to_train(options, plan, data)
    held_out, n_held_out = np.zeros(data.queries.n_lists, dtype=bool), 0
    if validation is None and not options.is_stream:
        of_all = draw_held_out(hosts, options.stopping, data.y, informative, rng)
        held_out, n_held_out = hosts.own_part(of_all, len(informative)), of_all.sum()
    if member:
        rng = np.random.default_rng([member, int(rng.integers(2**31))])
    trained_lists = informative & ~held_out
    has_validation = validation is not None or bool(n_held_out)
    packed, n_rows = pack_lists(options, data, trained_lists, hosts, has_validation)
    plan = with_steps_per_call(plan, options, data, packed, hosts)
    numbers = step_numbers(
        options,
        loss_numbers,
        n_features=data.X.shape[1],
        n_rows=None if options.is_stream else n_rows,
        n_steps=None if options.is_stream else packed.n_batches,
    )
    limits = _limits(options, packed)
    with jax.enable_x64(options.dtype == "float64"):
        draw = partial(draw_parameters, plan, start, data.X.shape[1])
        first: tuple[Any, Any] = hosts.same_start(
            draw(options.array_dtype, int(rng.integers(2**31)))
        )
        programs = compile_early(plan, first, numbers, options, data, packed, hosts)
    scaling, pair_scaling = _scalings(options, data, ~held_out, start, hosts)
    rows = None
    if not options.is_stream:
        rows = pooled_validation(
            hosts, data, held_out, validation, options.stopping, n_held_out=n_held_out
        )
    rows = None if rows is None else _scaled_rows(rows, scaling, pair_scaling)
    validate = validation_metrics(
        options.scorer, rows, options.stopping, score_items, hosts
    )
    fit = partial(
        train,
        plan,
        *first,
        numbers=numbers,
        limits=limits,
        schedule=make_schedule(options, numbers, limits),
        hosts=hosts,
        programs=programs,
    )
    with jax.enable_x64(options.dtype == "float64"), hosts.held_interrupts():
        placed = place_data(
            plan, options, data, (scaling, pair_scaling), trained_lists, packed, hosts
        )
        lists = ResidentLists(placed, packed)
        train_without = None
        selects = validate is not None and limits.selects
        if start is None and not selects and not has_deadline():
            train_without = partial(_train_without, fit, lists, data.queries, seed)
        linear = fit_linear_path(
            options, data, scaling, trained_lists, train_without, hosts
        )
        result = fit(
            lists,
            rng=rng,
            start_params=start.params if start else None,
            validate=validate,
            on_epoch=epoch_watcher(
                options if hosts.index == 0 else replace(options, verbose=0),
                limits.max_epochs,
                n_before=n_before,
                member=member,
                make_ranker=ranker_maker(options, scaling, pair_scaling, ranker_of),
            ),
            checkpoint=checkpoint,
            finish=None if linear is None else partial(linear.blend, options.scorer),
        )
    result.validation = rows
    state = learned_state(options, scaling, result)
    return state._replace(pair_scaling=pair_scaling), result


def _limits(options: TrainingOptions, packed: PackedLists) -> EpochLimits:
    """When training on these lists ends."""
    return epoch_limits(
        options.max_epochs if packed.buckets else 0,
        options.n_iter_no_change,
        n_steps=packed.n_batches,
        is_linear=options.scorer.is_linear,
        has_schedule=options.schedule is not None,
        selects=bool(options.stopping.enabled),
    )


def _scalings(
    options: TrainingOptions,
    data: TrainingSet,
    lists: BoolArray,
    start: LearnedState | None,
    hosts: Hosts,
) -> tuple[Scaling | None, PairScaling | None]:
    """Scaling of the features and of those of pairs, fitted unless training goes on."""
    if start is not None:
        return start.scaling, start.pair_scaling
    return (
        _fit_scaling(options, data, lists, hosts),
        _fit_pair_scaling(options, data, lists, hosts),
    )


def _scaled_rows(
    rows: ValidationRows, scaling: Scaling | None, pair_scaling: PairScaling | None
) -> ValidationRows:
    """Validation rows as the scorer sees them."""
    return rows._replace(
        X=rows.X if scaling is None else scaling.transform(rows.X, rows.queries),
        pairs=None if rows.pairs is None else rows.pairs.scaled(pair_scaling),
    )


def _train_without(
    fit: Callable[..., TrainingResult],
    lists: ResidentLists,
    queries: Queries,
    seed: int,
    left_out: BoolArray,
) -> Any:
    """Parameters after training on the other lists, as NumPy arrays."""
    others = lists.without(left_out[queries.codes])
    result = fit(others, rng=np.random.default_rng(seed))
    if result.interrupted:
        raise KeyboardInterrupt
    return result.params


def make_plan(
    options: TrainingOptions, data: TrainingSet
) -> tuple[TrainingPlan, dict[str, float]]:
    """Put scorer, loss and optimizer together, and check that they fit the data.

    Also the traced options of the loss.
    """
    loss_plan, loss_numbers = plan_loss(options.loss, normalize=options.normalize)
    info, name = loss_plan.info, options.loss_name
    check_loss_inputs(info, name, data)
    if options.array_dtype == "float32":
        cure = "Shift or scale them, or set dtype='float64'."
        check_single_precision(data.y, "y", cure)
    if options.in_batch and data.extras:
        raise ValueError(
            f"in_batch=True takes no {min(data.extras)}, which items of other queries "
            "do not have. Leave it out of fit."
        )
    if info.per_batch and data.list_weights is not None:
        raise ValueError(
            f"loss={name!r} gives one number per batch, so query_weight has no effect. "
            "Leave it out."
        )
    # gathering sparse rows, and looping over pairs of items, costs as much for a part
    # of a mini-batch as for all of it
    is_of_pairs = isinstance(options.scorer, (PairScorer, PublishedPairScorer))
    divides = not (is_sparse(data.X) or is_of_pairs)
    plan = TrainingPlan(
        options.scorer,
        loss_plan,
        get_optimizer(options.optimizer),
        options.n_query_features if options.in_batch else None,
        rounds_products=options.dtype == "bfloat16",
        **devices_of_plan(find_mesh(options.devices), divides=divides),
    )
    return plan, loss_numbers


def step_numbers(
    options: TrainingOptions,
    loss_numbers: dict[str, float],
    *,
    n_features: int,
    n_rows: float | None,
    n_steps: int | None,
) -> StepNumbers:
    """Step size, decay and options of the loss; "auto" depends on the data.

    ``n_rows`` and ``n_steps`` of an epoch are None where more data are to come.
    """
    rate, decay = options.learning_rate, options.weight_decay
    if isinstance(decay, str):
        decay = auto_decay(
            options.optimizer, options.scorer, n_features=n_features, n_rows=n_rows
        )
    if isinstance(rate, str):
        rate = auto_rate(
            options.scorer, n_steps, n_features=n_features, weight_decay=float(decay)
        )
    clip_norm = None if options.clip_norm is None else float(options.clip_norm)
    return StepNumbers(float(rate), float(decay), loss_numbers, clip_norm)


def make_schedule(
    options: TrainingOptions, numbers: StepNumbers, limits: EpochLimits
) -> Schedule | None:
    """The learning rates of a fit; None if they are all the same."""
    if options.schedule is None:
        return None
    replay = options.replay or Replay(limits.max_epochs, limits.patience, ())
    return Schedule(
        options.schedule,
        rate=float(numbers.learning_rate),
        max_epochs=max(1, replay.max_epochs),
        patience=max(1, replay.patience // 2),  # lowered before training ends
        replay=replay.scores,
    )


def ranker_maker(
    options: TrainingOptions,
    scaling: Scaling | None,
    pair_scaling: PairScaling | None,
    ranker_of: RankerOf | None,
) -> MakeRanker:
    """Parameters of the scorer → fitted ranker, for callbacks."""

    def make_ranker(params: Any) -> Any:
        state = LearnedState(options.scorer, params, scaling, pair_scaling=pair_scaling)
        return state if ranker_of is None else ranker_of(state)

    return make_ranker


def check_start(
    options: TrainingOptions, start: LearnedState | None, X: Any = None
) -> None:
    """Raise unless training can go on from a state, with these features."""
    if start is not None and start.scorer != options.scorer:
        raise ValueError(
            "training can go on only with the scorer that it began with, "
            f"{start.scorer!r}; got {options.scorer!r}. Set the parameters back, or "
            "fit with warm_start=False."
        )
    scaling = None if start is None else start.scaling
    if is_sparse(X) and isinstance(scaling, FeatureScaling) and scaling.mean.any():
        raise TypeError(
            "X must be dense to go on from a fit on dense features, whose scaling "
            "subtracts their means; got a sparse matrix. Pass X.toarray(), or fit with "
            "warm_start=False."
        )


def lists_to_train(
    options: TrainingOptions, plan: TrainingPlan, data: TrainingSet
) -> BoolArray:
    """Lists that the loss can learn from, shape (n_lists,)."""
    if options.in_batch:
        return data.lists_with_weight()  # other lists give what an own one lacks
    return data.informative_lists(learns_from(plan.loss.info, data.extras))


def _fit_scaling(
    options: TrainingOptions, data: TrainingSet, lists: BoolArray, hosts: Hosts
) -> Scaling | None:
    """Scaling of the features, fitted on the rows of these lists."""
    if options.keeps_features:
        return None
    rows = None if lists.all() else data.queries.subset(lists)
    return fit_scaling(data.X, data.weights, options.preprocess, rows, hosts)


def _fit_pair_scaling(
    options: TrainingOptions, data: TrainingSet, lists: BoolArray, hosts: Hosts
) -> PairScaling | None:
    """Scaling of the features of pairs, fitted on these lists."""
    if data.pairs is None or options.preprocess is None:
        return None
    rows = data.queries.subset(lists)
    queries = group_queries(data.queries.codes[rows], len(rows))
    return fit_pair_scaling(data.pairs.rows(rows), queries, hosts)


def draw_parameters(
    plan: TrainingPlan,
    start: LearnedState | None,
    n_features: int,
    dtype: str,
    seed: int,
) -> tuple[Any, Any]:
    """Parameters and optimizer state to start from."""
    if start is None:
        check_parameters(plan.scorer, n_features, dtype)
        params = plan.scorer.init(seed_key(seed), n_features)
        _check_arrays(plan.scorer, params)
        return params, init_optimizer(plan, params)
    params = start.params if start.last_params is None else start.last_params
    fresh_state = init_optimizer(plan, params)
    fresh_leaves, structure = jax.tree.flatten(fresh_state)
    leaves = start.optimizer_leaves or []
    if [np.shape(leaf) for leaf in leaves] != [np.shape(leaf) for leaf in fresh_leaves]:
        return params, fresh_state  # none was kept, or another optimizer was set since
    return params, jax.tree.unflatten(structure, leaves)


def _check_arrays(scorer: Scorer, params: Any) -> None:
    """Raise unless every parameter is an array that has a gradient."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            kind = type(leaf).__name__ if dtype is None else f"dtype {dtype}"
            kind = "a function" if callable(leaf) else kind
            raise TypeError(
                f"init of {scorer!r} must return a pytree of arrays of floats; got "
                f"{kind} at {jax.tree_util.keystr(path)}. Keep what is not trained out "
                "of the parameters, for example as an attribute of the scorer; a "
                "module of Equinox or Flax NNX becomes a scorer by "
                "ltr.scorers.ModuleScorer."
            )


def learned_state(
    options: TrainingOptions, scaling: Scaling | None, result: TrainingResult
) -> LearnedState:
    """What is kept of a result."""
    goes_on = options.warm_start or options.is_stream
    leaves = jax.tree.leaves(result.optimizer_state)
    return LearnedState(
        scorer=options.scorer,
        params=result.params,
        scaling=scaling,
        last_params=result.last_params if goes_on else None,
        optimizer_leaves=leaves if goes_on else None,
    )
