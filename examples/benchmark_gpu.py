"""Kernels, training and dynamic programs on an accelerator, against its ceilings.

The ceilings are measured in the same run: a copy of a large array, and large matrix
products in float32 (TF32 where JAX prefers it), full float32 and bfloat16. Full float32
is the ceiling of all that is no matrix product. A row has the median time of a call,
with inputs on the device and without compilation, and

- bytes a second: inputs and outputs once, operands and results of matrix products, and
  what a loop reads and writes in a step (once for unrolled steps). All else is taken to
  be fused. Tables over subsets are written and read once;
- FLOP a second: a multiplication and an addition are two, any other function is one;
- the roofline: the time that bytes and FLOP need at the ceilings over the time taken;
  in parentheses, that of inputs and outputs alone. What stays in caches is faster;
- the largest difference to the CPU on a few lists, in float32, relative to the largest
  value; for matrix products also with the device in full float32. With
  ``--dtype bfloat16`` the device rounds the operands of products, and the CPU does not.

Pairwise losses must reach 70 % of the roofline on an accelerator. A program that fails
prints its error, the others go on, and the exit code is 1.

    python examples/benchmark_gpu.py                # under 8 minutes
    python examples/benchmark_gpu.py --dtype bfloat16 --checks training,attention
    python examples/benchmark_gpu.py --small        # a few seconds, also on a CPU

Without installation, set PYTHONPATH to the folder of the source; it needs JAX, optax,
SciPy and scikit-learn.
"""

import argparse
import math
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from papers.roofline import count, n_bytes
from sklearn.exceptions import ConvergenceWarning

import ltr
from ltr import losses
from ltr.scorers import AttentionScorer, get_scorer
from ltr.scorers.products import bfloat16_products
from ltr.solvers import dynamic

BAR = 0.7  # of the roofline, for pairwise losses on an accelerator
N_FEATURES, FEW = 136, 16  # FEW lists are compared with the CPU
# Vendors' ceilings: bytes/s, FLOP/s in float32, TF32 and bfloat16 (dense).
PUBLISHED = {
    "H200": (4.8e12, 67e12, 495e12, 989e12),
    "H100 80GB HBM3": (3.35e12, 67e12, 495e12, 989e12),
    "A100-SXM4-80GB": (2.04e12, 19.5e12, 156e12, 312e12),
    "A100-SXM4-40GB": (1.56e12, 19.5e12, 156e12, 312e12),
    "L4": (0.3e12, 30.3e12, 60e12, 121e12),
}
PAIRWISE = ("ranknet", "hinge", "lambdarank")
OTHERS = ("softmax", "mse", "listmle", "approx_ndcg")
FITS = (
    ("linear", "listnet"),
    ("mlp", "listnet"),
    ("mlp", "ranknet"),
    ("attention", "listnet"),
)


class Size(NamedTuple):
    """How large the inputs are: numbers to copy, rows of matrices, (lists, items)."""

    copy: int
    matrix: int
    lists: tuple[tuple[int, int], ...]  # of losses
    attention: tuple[tuple[int, int], ...]
    training: tuple[tuple[int, int], ...]
    tables: tuple[tuple[int, int], ...]
    seconds: float  # of the measurements of a row
    losses: tuple[str, ...] = (*PAIRWISE, *OTHERS)
    fits: tuple[tuple[str, str], ...] = FITS


SIZES = {
    "small": Size(
        copy=2**16,
        matrix=64,
        lists=((8, 16),),
        attention=((4, 8),),
        training=((32, 8),),
        tables=((16, 3),),
        seconds=0.0,
        losses=("ranknet",),
        fits=(("linear", "listnet"),),
    ),
    "cpu": Size(
        copy=2**25,
        matrix=1024,
        lists=((1024, 128), (16, 1024)),
        attention=((32, 100),),
        training=((1024, 100),),
        tables=((1000, 8), (1000, 10)),
        seconds=0.5,
    ),
    "accelerator": Size(
        copy=2**29,
        matrix=8192,
        lists=((65536, 128), (512, 1024)),
        attention=((1024, 100), (4, 4096)),
        training=((16384, 100),),
        tables=((100_000, 8), (100_000, 10), (100_000, 12)),
        seconds=0.5,
    ),
}


class Ceilings(NamedTuple):
    """Bytes copied a second; FLOP/s of products in full float32, float32, bfloat16."""

    copy: float
    full: float
    product: float
    half: float


class Program(NamedTuple):
    """A function of arrays whose first axis is the lists.

    Attributes
    ----------
    name : str
    function : callable
    inputs : tuple of arrays
    is_product : bool, default=False
        Whether matrix products are most of its work, and outputs are sums over lists;
        if not, the first axis of an output is the lists, too.
    bar : float, default=0.0
        Share of the roofline that it must reach on an accelerator.
    table : float, default=0.0
        Bytes of tables over subsets, out and in.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    is_product: bool = False
    bar: float = 0.0
    table: float = 0.0


def seconds_of(call: Callable[[], Any], seconds: float) -> float:
    """Median time of a call; short ones are timed several at once."""
    jax.block_until_ready(call())
    started = time.perf_counter()
    jax.block_until_ready(call())
    once = time.perf_counter() - started
    n_calls = max(1, min(1000, math.ceil(0.02 / max(once, 1e-6)))) if seconds else 1
    samples: list[float] = []
    started = time.perf_counter()
    while len(samples) < 3 or time.perf_counter() - started < seconds:
        begin = time.perf_counter()
        jax.block_until_ready([call() for _ in range(n_calls)][-1])
        samples.append((time.perf_counter() - begin) / n_calls)
    return statistics.median(samples)


def measure_ceilings(size: Size) -> Ceilings:
    """Measure them, and print them beside the vendor's."""
    device = jax.devices()[0]
    numbers = jnp.ones(size.copy, jnp.float32)
    shift = jax.jit(lambda x: x + 1.0)
    copy = 8.0 * size.copy / seconds_of(lambda: shift(numbers), size.seconds)

    def product(dtype: Any, precision: str | None) -> float:
        shape = (size.matrix, size.matrix)
        a = jax.random.normal(jax.random.key(0), shape, dtype)
        times = jax.jit(lambda a, b: jnp.matmul(a, b, precision=precision))
        seconds = seconds_of(lambda: times(a, a), size.seconds)
        return float(2.0 * size.matrix**3 / seconds)

    ceilings = Ceilings(
        copy,
        product(jnp.float32, "highest"),
        product(jnp.float32, None),
        product(jnp.bfloat16, None),
    )
    names = ("copy", "full float32", "float32 by default", "bfloat16")
    vendor = PUBLISHED.get(device.device_kind.removeprefix("NVIDIA "))
    if device.platform == "cpu":
        print("no accelerator: the ceilings are those of this CPU, and there is no bar")
    for i, (name, value) in enumerate(zip(names, ceilings, strict=True)):
        unit = "GB/s" if i == 0 else "GFLOP/s"
        text = "" if vendor is None else f"   published {vendor[i] / 1e9:,.0f}"
        print(f"  ceiling: {name:20} {value / 1e9:10,.1f} {unit}{text}", flush=True)
    return ceilings


def difference(ours: Any, reference: Any) -> float:
    """Largest difference relative to the largest value; of lists, the first few.

    An array that should be 0, such as the gradient of a key's bias, counts relative to
    a thousandth of the largest of all.
    """
    expected = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(reference)]
    least = max(1e-2 * max(np.abs(b).max() for b in expected), 1e-30)
    ratios = [
        np.abs(np.asarray(a[: len(b)] if b.ndim else a) - b).max()
        / max(np.abs(b).max(), least)
        for a, b in zip(jax.tree.leaves(ours), expected, strict=True)
    ]
    return float(max(ratios))


def on(device: jax.Device, function: Callable[..., Any], program: Program) -> Any:
    """Outputs for the first lists, computed on a device."""
    with jax.default_device(device):
        return function(*[jnp.asarray(values[:FEW]) for values in program.inputs])


class Report:
    """Measures programs, prints rows, and counts failures.

    Parameters
    ----------
    size : Size
    limit : float
        Seconds after which nothing more is begun.
    dtype : str
        Of the matrix products of scorers.
    """

    def __init__(self, size: Size, limit: float, dtype: str) -> None:
        self.size, self.dtype = size, dtype
        self.rounds = dtype == "bfloat16"
        self.end = time.monotonic() + limit
        self.rows: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.ceilings = Ceilings(*[math.nan] * 4)

    def attempt(self, name: str, work: Callable[[], Any]) -> None:
        """Do something; print its error, and go on."""
        if time.monotonic() > self.end:
            self.fail(name, "not begun: no time is left (--seconds)")
            return
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the others go on
            self.fail(name, f"{type(error).__name__}: {error}")
            traceback.print_exc(limit=-3, file=sys.stdout)

    def fail(self, name: str, reason: str) -> None:
        """Print and remember a failure."""
        self.failures.append(name)
        print(f"  FAILED {name}: {reason}", flush=True)

    def run(self, program: Program) -> None:
        """Compile, time and compare a program."""
        inputs = [jnp.asarray(values) for values in program.inputs]
        jitted = jax.jit(program.function)
        compiled = jitted.lower(*inputs).compile()
        seconds = seconds_of(lambda: compiled(*inputs), self.size.seconds)
        device, cpu = jax.devices()[0], jax.devices("cpu")[0]
        expected, errors = self.expected(cpu, jitted, program), {}
        outputs = (
            on(device, jitted, program) if program.is_product else compiled(*inputs)
        )
        errors["to the CPU"] = difference(outputs, expected)
        if program.is_product and device != cpu:
            with jax.default_matmul_precision("highest"):
                outputs = on(device, jitted, program)
            errors["in full float32"] = difference(outputs, expected)
        self.row(program, seconds, errors)

    def expected(
        self, cpu: jax.Device, jitted: Callable[..., Any], program: Program
    ) -> Any:
        """Outputs of the CPU, whose products are in float32."""
        if not (self.rounds and program.is_product):
            return on(cpu, jitted, program)
        self.rounds = False
        try:  # another function, so that it is traced again
            return on(cpu, jax.jit(lambda *x: program.function(*x)), program)
        finally:
            self.rounds = True

    def row(self, program: Program, seconds: float, errors: dict[str, float]) -> None:
        """Print and keep the row of a program that took these seconds."""
        traced = jax.make_jaxpr(program.function)(*program.inputs).jaxpr
        counts = count(traced)
        least = float(n_bytes(*traced.invars, *traced.outvars))
        moved = least + counts.moved + program.table
        peak = self.ceilings.full
        if program.is_product:
            peak = self.ceilings.half if self.rounds else self.ceilings.product
        roofline, ideal = (
            max(n / self.ceilings.copy, counts.flop / peak) / seconds
            for n in (moved, least + program.table)
        )
        row = {
            "name": program.name,
            "ms": 1e3 * seconds,
            "GB/s": moved / seconds / 1e9,
            "GFLOP/s": counts.flop / seconds / 1e9,
            "roofline": roofline,
            "ideal": ideal,
            **errors,
        }
        self.rows.append(row)
        text = "".join(f", {name} {value:.0e}" for name, value in errors.items())
        print(
            f"  {program.name:34} {row['ms']:10.3f} ms"
            f"  {row['GB/s']:8.1f} GB/s ({moved / seconds / self.ceilings.copy:4.0%})"
            f"  {row['GFLOP/s']:10.1f} GFLOP/s ({counts.flop / seconds / peak:4.0%})"
            f"  roofline {roofline:4.0%} ({ideal:4.0%})  difference{text[1:]}",
            flush=True,
        )
        if roofline < program.bar and jax.devices()[0].platform != "cpu":
            self.fail(program.name, f"below {program.bar:.0%} of the roofline")


def make_lists(n_lists: int, n: int) -> tuple[np.ndarray, ...]:
    """Scores, grades, and a mask that leaves out every tenth item."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(n_lists, n)).astype(np.float32)
    grades = rng.integers(0, 5, (n_lists, n)).astype(np.float32)
    return scores, grades, rng.random((n_lists, n)) >= 0.1


def check_losses(report: Report) -> None:
    """Value and gradient of losses."""
    for n_lists, n in report.size.lists:
        inputs = make_lists(n_lists, n)
        for name in report.size.losses:
            program = Program(
                f"{name} {n_lists} x {n}",
                with_gradient(losses.LOSSES[name]),
                inputs,
                bar=BAR if name in PAIRWISE else 0.0,
            )
            report.attempt(program.name, lambda program=program: report.run(program))
        title = f"ranknet as a reduction {n_lists} x {n}"
        program = Program(title, ranknet_as_reduction, inputs)
        report.attempt(title, lambda program=program: report.run(program))


def with_gradient(loss: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Losses of a batch of lists, and the gradient of their sum."""

    def total(scores: Any, labels: Any, where: Any) -> tuple[jax.Array, jax.Array]:
        values = loss(scores, labels, where=where)
        return values.sum(), values

    def function(*inputs: Any) -> tuple[jax.Array, jax.Array]:
        gradient, values = jax.grad(total, has_aux=True)(*inputs)
        return values, gradient

    return function


def ranknet_as_reduction(
    scores: jax.Array, labels: jax.Array, where: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """RankNet and its gradient as sums over n x n terms, which XLA may fuse.

    On a CPU the loop of ``ltr.losses`` is faster; on an accelerator this one may be.
    """
    margin = scores[..., :, None] - scores[..., None, :]  # (b, n, n)
    is_pair = where[..., :, None] & where[..., None, :]
    wins = is_pair & (labels[..., :, None] > labels[..., None, :])
    loses = is_pair & (labels[..., :, None] < labels[..., None, :])
    p = jax.nn.sigmoid(margin)
    values = jnp.where(wins, jax.nn.softplus(-margin), 0.0).sum((-2, -1))
    return values, (jnp.where(loses, p, 0.0) - jnp.where(wins, 1.0 - p, 0.0)).sum(-1)


def check_training(report: Report) -> None:
    """Epochs of NeuralRanker, and the scores after a short fit on either device."""
    for n_lists, n in report.size.training:
        for scorer, loss in report.size.fits:
            name = f"fit {scorer} {loss} {n_lists} x {n}"
            settings = (scorer, loss, n_lists, n)
            report.attempt(name, lambda s=settings, t=name: train(report, t, *s))


def train(
    report: Report, name: str, scorer: str, loss: str, n_lists: int, n: int
) -> None:
    """Time the epochs of a fit; compare a short one with the CPU."""
    X = np.random.default_rng(0).standard_normal((n_lists * n, N_FEATURES), np.float32)
    y = np.digitize(X[:, 0] + X[:, 1], [0.0, 1.0, 2.0])
    qid = np.repeat(np.arange(n_lists), n)

    def fit(
        rows: slice, batch_size: int, n_epochs: int, dtype: str = report.dtype
    ) -> ltr.NeuralRanker:
        ranker = ltr.NeuralRanker(
            loss,
            scorer,
            batch_size=batch_size,
            preprocess=None,
            early_stopping=False,
            max_epochs=n_epochs,
            dtype=dtype,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return ranker.fit(X[rows], y[rows], qid[rows])

    batch_size = max(1, n_lists // 16)
    ranker = fit(slice(None), batch_size, 6)
    seconds = statistics.median(ranker.history_["seconds"][1:])
    few, scores = slice(0, n * min(n_lists, 64)), []
    devices = (jax.devices()[0], report.dtype), (jax.devices("cpu")[0], "float32")
    for device, dtype in devices:
        with jax.default_device(device):
            short = fit(few, 16, 2, dtype)
        few_scores = short.predict(X[few], qid=qid[few]).reshape(-1, n)
        scores.append(few_scores - few_scores.mean(axis=1, keepdims=True))
    error = float(np.abs(scores[0] - scores[1]).max() / np.abs(scores[1]).max())
    blocks = X.reshape(n_lists, n, -1), y.reshape(n_lists, n).astype(np.float32)
    part = get_scorer(scorer)
    params = part.init(jax.random.key(0), N_FEATURES)

    def total(params: Any, X: Any, y: Any) -> jax.Array:
        with bfloat16_products(report.rounds):
            scores = part.apply(params, X)
        return losses.LOSSES[loss](scores, y).sum()

    gradient = lambda X, y: jax.grad(total)(params, X, y)
    report.row(
        Program(name, gradient, blocks, is_product=True),
        seconds,
        {"of scores after 8 steps": error},
    )
    print(f"    {n_lists * n / seconds:,.0f} rows a second, {batch_size} lists a step")


def check_attention(report: Report) -> None:
    """Loss of the attention scorer, and its gradient by parameters and features."""
    scorer = AttentionScorer()
    params = scorer.init(jax.random.key(0), N_FEATURES)
    for n_lists, n in report.size.attention:
        _, grades, where = make_lists(n_lists, n)
        X = np.random.default_rng(1).standard_normal((n_lists, n, N_FEATURES))

        def total(params: Any, X: Any, y: Any, where: Any) -> jax.Array:
            with bfloat16_products(report.rounds):
                scores = scorer.apply(params, X, where)
            return losses.softmax_loss(scores, y, where=where).sum()

        program = Program(
            f"attention {n_lists} x {n}",
            lambda X, y, w, f=total: jax.value_and_grad(f)(params, X, y, w),
            (X.astype(np.float32), grades, where),
            is_product=True,
        )
        report.attempt(program.name, lambda program=program: report.run(program))


def check_tables(report: Report) -> None:
    """Dynamic programs over subsets, values and gradients."""
    value = lambda f: lambda matrix: f(matrix)[0]
    slope = lambda f: (
        lambda matrix: with_gradient(lambda m, y, where: f(m))(matrix, None, None)
    )
    programs: dict[str, tuple[Callable[..., Any], int]] = {  # and how many tables
        "best path": (value(dynamic.best_path), 1),
        "path log Z, gradient": (slope(dynamic.path_log_partition), 2),
        "best ordering": (value(dynamic.best_ordering), 1),
        "ordering log Z, gradient": (slope(dynamic.ordering_log_partition), 2),
    }
    for n_lists, n in report.size.tables:
        matrix = np.random.default_rng(n).normal(size=(n_lists, n, n))
        for name, (function, n_tables) in programs.items():
            rows = n << (n - 1) if "path" in name else 1 << n  # of a list
            program = Program(
                f"{name} {n_lists} x {n}",
                function,
                (matrix.astype(np.float32),),
                table=8.0 * n_tables * rows * n_lists,
            )
            report.attempt(program.name, lambda program=program: report.run(program))


CHECKS = {
    "losses": check_losses,
    "attention": check_attention,
    "training": check_training,
    "tables": check_tables,
}


def main(
    size: str | None = None,
    checks: str = ",".join(CHECKS),
    dtype: str = "float32",
    seconds: float = 420.0,
) -> Report:
    """Run the checks; print a row for each program, and return all of them."""
    device = jax.devices()[0]
    size = size or ("cpu" if device.platform == "cpu" else "accelerator")
    try:
        version = ltr.__version__
    except PackageNotFoundError:
        version = "from its source"
    print(
        f"{device.device_kind} ({device.platform}), ltr {version}, jax "
        f"{jax.__version__}, NumPy {np.__version__}; size {size}; products of scorers "
        f"in {dtype}",
        flush=True,
    )
    report = Report(SIZES[size], seconds, dtype)

    def set_ceilings() -> None:
        report.ceilings = measure_ceilings(report.size)

    report.attempt("ceilings", set_ceilings)
    for name in checks.split(","):
        started = time.perf_counter()
        print(f"{name}: {CHECKS[name].__doc__}", flush=True)
        report.attempt(name, lambda name=name: CHECKS[name](report))
        print(f"  {time.perf_counter() - started:.1f} s", flush=True)
    failures = ", ".join(report.failures) or "none"
    print(f"{len(report.rows)} rows; failed: {failures}", flush=True)
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="tiny inputs")
    parser.add_argument("--checks", default=",".join(CHECKS), help="comma-separated")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--seconds", type=float, default=420.0, help="time limit")
    options = parser.parse_args()
    print(__doc__.split("\n")[0], flush=True)
    result = main(
        "small" if options.small else None,
        options.checks,
        options.dtype,
        options.seconds,
    )
    sys.exit(bool(result.failures))
