"""Ceilings of a device, and rows of programs beside them."""

import math
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from roofline.counts import count, n_bytes

FEW = 16  # lists are compared with the CPU
# Vendors' ceilings: bytes/s, FLOP/s in float32, TF32 and bfloat16 (dense).
PUBLISHED = {
    "H200": (4.8e12, 67e12, 495e12, 989e12),
    "H100 80GB HBM3": (3.35e12, 67e12, 495e12, 989e12),
    "A100-SXM4-80GB": (2.04e12, 19.5e12, 156e12, 312e12),
    "A100-SXM4-40GB": (1.56e12, 19.5e12, 156e12, 312e12),
    "L4": (0.3e12, 30.3e12, 60e12, 121e12),
}


class Size(NamedTuple):
    """How large the inputs are: numbers to copy, rows of matrices, (lists, items)."""

    copy: int
    matrix: int
    lists: tuple[tuple[int, int], ...]  # of losses
    attention: tuple[tuple[int, int], ...]
    training: tuple[tuple[int, int], ...]
    tables: tuple[tuple[int, int], ...]
    seconds: float  # of the measurements of a row
    losses: tuple[str, ...]
    fits: tuple[tuple[str, str], ...]  # scorer, loss


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
