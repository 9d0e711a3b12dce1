"""What is in a traced program."""

import jax

from ltr.training import steps


def products_of(function, *inputs):
    """Types of the operands and of the result of all matrix products in a program."""
    types = set()

    def visit(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                values = (*equation.invars, *equation.outvars)
                types.add(tuple(str(value.aval.dtype) for value in values))
            for value in jax.tree.leaves(
                list(equation.params.values()), is_leaf=is_program
            ):
                if is_program(value):
                    visit(getattr(value, "jaxpr", value))

    visit(jax.make_jaxpr(function)(*inputs).jaxpr)
    return types


def is_program(value):
    """Whether it is the body of a loop, or of a function in a program."""
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def n_compiled_steps():
    """Programs of steps of training that this process has compiled."""
    return sum(step._cache_size() for step in (steps._step, steps._steps))
