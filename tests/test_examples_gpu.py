"""The benchmark of accelerators, on a CPU."""

import jax
import numpy as np
from support.examples import EXAMPLES, load

from ltr import losses


def test_benchmark_gpu(monkeypatch, capsys):
    """Every check runs on a CPU; one that fails says so, and the others go on."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = load("benchmark_gpu")

    def broken(report):
        raise MemoryError("no room")

    monkeypatch.setitem(example.CHECKS, "broken", broken)
    report = example.main("small", "broken,losses,training,tables")
    assert report.failures == ["broken"]
    assert len(report.rows) == 7
    assert all(row["ms"] > 0 and row["roofline"] > 0 for row in report.rows)
    printed = capsys.readouterr().out
    assert "FAILED broken: MemoryError: no room\n" in printed
    assert "no accelerator: the ceilings are those of this CPU" in printed
    rounded = example.main("small", "attention", dtype="bfloat16").rows[0]
    assert 1e-4 < rounded["to the CPU"] < 0.1
    late = example.main("small", "losses", seconds=0.0)
    assert late.failures == ["ceilings", "losses"]


def test_counts_of_a_roofline(monkeypatch):
    """Products, loops and reductions are counted from the trace."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = load("benchmark_gpu")
    count, difference = (
        load("roofline/counts").count,
        load("roofline/report").difference,
    )
    a, b = np.zeros((8, 3), np.float32), np.zeros((3, 5), np.float32)
    counts = count(jax.make_jaxpr(lambda a, b: a @ b)(a, b).jaxpr)
    assert counts == (2 * 8 * 3 * 5, 4 * (8 * 3 + 3 * 5 + 8 * 5))

    def looped(a):
        return jax.lax.fori_loop(0, 10, lambda i, x: x * 2.0 + 1.0, a, unroll=4)

    counts = count(jax.make_jaxpr(looped)(a).jaxpr)
    assert counts == (10 * 2 * 24, 3 * 2 * (4 * 24 + 4))  # the carry: 24 numbers and i
    scores, labels, where = example.make_lists(3, 6)
    ours = example.with_gradient(losses.ranknet_loss)(scores, labels, where)
    fused = example.ranknet_as_reduction(scores, labels, where)
    assert difference(fused, ours) < 1e-5
