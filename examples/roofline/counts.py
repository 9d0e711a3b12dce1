"""Floating-point operations and memory traffic of a program, counted in its trace."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Counts(NamedTuple):
    """FLOP, and bytes moved inside a program."""

    flop: float = 0.0
    moved: float = 0.0


MOVES = (  # numbers, and computes none
    *("broadcast_in_dim", "concatenate", "convert_element_type", "copy", "device_put"),
    *("dynamic_slice", "dynamic_update_slice", "gather", "iota", "pad", "reshape"),
    *("rev", "select_n", "slice", "squeeze", "stop_gradient", "transpose"),
)


def count(jaxpr: Any) -> Counts:
    """FLOP and inner traffic of a traced program, by the rules of benchmark_gpu.py."""
    flop = moved = 0.0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        inner = [count(body) for body in bodies(parameters)]
        if name == "scan":
            n_steps = parameters["length"]
            flop += n_steps * inner[0].flop
            moved += n_steps * inner[0].moved + scan_traffic(parameters)
        elif name == "cond":
            branch = min(inner, key=lambda counts: counts.moved)
            flop, moved = flop + branch.flop, moved + branch.moved
        elif inner:
            flop += sum(counts.flop for counts in inner)
            moved += sum(counts.moved for counts in inner)
        elif name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            depth = math.prod(shape[axis] for axis in contracted)
            flop += 2.0 * depth * equation.outvars[0].aval.size
            moved += n_bytes(*equation.invars, *equation.outvars)
        elif name not in MOVES and is_float(equation.outvars[0]):
            operand = equation.invars[0] if "reduce" in name else equation.outvars[0]
            flop += operand.aval.size
    return Counts(flop, moved)


def bodies(parameters: dict[str, Any]) -> Iterator[Any]:
    """Programs inside an operation of a program, such as the body of a loop."""
    is_program = lambda value: hasattr(value, "eqns") or hasattr(value, "jaxpr")
    for value in jax.tree.leaves(list(parameters.values()), is_leaf=is_program):
        if is_program(value):
            yield getattr(value, "jaxpr", value)


def scan_traffic(parameters: dict[str, Any]) -> float:
    """Bytes that a loop moves: its state once for unrolled steps, its slices always."""
    body, n_steps = parameters["jaxpr"].jaxpr, parameters["length"]
    n_carried = parameters["num_carry"]
    n_state = parameters["num_consts"] + n_carried
    state = n_bytes(*body.invars[:n_state], *body.outvars[:n_carried])
    slices = n_bytes(*body.invars[n_state:], *body.outvars[n_carried:])
    return math.ceil(n_steps / int(parameters["unroll"])) * state + n_steps * slices


def n_bytes(*variables: Any) -> int:
    """Size of values of a traced program."""
    return sum(v.aval.size * v.aval.dtype.itemsize for v in variables)


def is_float(variable: Any) -> bool:
    """Whether it holds real numbers."""
    return jnp.issubdtype(variable.aval.dtype, jnp.floating)
