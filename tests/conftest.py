"""Settings of the test run: strict JAX, hypothesis profiles, an x64 fixture."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import jax
import pytest

# Tests run side by side, their trees too; threads that wait leave the cores to others.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# One of the peers compiles by Numba, which takes longer than its code in Python.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# Compiling is most of the work here, so programs are not optimized, and in one piece.
# (With AVX, level 0 of jaxlib 0.10.2 computes NaN in double precision.)
_QUICK_COMPILATION = (
    "--xla_backend_optimization_level=0 --xla_cpu_max_isa=SSE4_2"
    " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)


def _are_known(flags):
    """Whether XLA knows the flags here; it ends a process if it does not."""
    environment = {**os.environ, "XLA_FLAGS": flags}
    command = [sys.executable, "-c", "import jax; jax.numpy.ones(2)"]
    return not subprocess.run(command, env=environment, capture_output=True).returncode


# XLA reads them with the first program. Workers inherit what the first process has set.
if "XLA_FLAGS" not in os.environ and _are_known(_QUICK_COMPILATION):
    os.environ["XLA_FLAGS"] = _QUICK_COMPILATION

jax.config.update("jax_numpy_rank_promotion", "raise")

# Laws draw into a few padded shapes, so JAX compiles once and examples are cheap.
# All examples: pytest --hypothesis-profile=thorough
for name, examples in (("default", 40), ("thorough", 200)):
    hypothesis.settings.register_profile(
        name,
        max_examples=examples,
        derandomize=True,
        deadline=None,
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.function_scoped_fixture,
        ],
    )
hypothesis.settings.load_profile("default")


def pytest_configure(config):
    """Share compiled programs with other workers, subprocesses and the next run.

    They are in the cache of pytest, which ``--cache-clear`` empties. Most tests train
    for a few epochs, and do not mean to converge.
    """
    is_first = "JAX_COMPILATION_CACHE_DIR" not in os.environ
    if is_first and config.pluginmanager.hasplugin("cacheprovider"):
        folder = str(config.cache.mkdir("jax"))
        for name, value in (
            ("jax_compilation_cache_dir", folder),
            ("jax_persistent_cache_min_compile_time_secs", 0.02),
            ("jax_persistent_cache_min_entry_size_bytes", 0),
        ):
            os.environ[name.upper()] = str(value)  # of the processes that it starts
            jax.config.update(name, value)
    config.addinivalue_line(
        "filterwarnings", "ignore::sklearn.exceptions.ConvergenceWarning"
    )


def pytest_collection_finish():
    """What is imported by now stays: collections of garbage need not look at it.

    Nor are they worth a run for each 700 objects, where a test makes millions.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True, scope="module")
def few_compiled_programs():
    """Forget what modules compiled when it takes much memory, or may.

    Linux allows a process 65,530 memory maps, of which each program has some.
    """
    yield
    maps = Path("/proc/self/maps")
    if not maps.exists() or maps.read_bytes().count(b"\n") > 8_000:
        jax.clear_caches()


@pytest.fixture
def x64():
    """Compute in double precision inside a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def ltr_data():
    """Folder of real data, or a skip."""
    folder = os.environ.get("LTR_DATA")
    if folder is None:
        pytest.skip("real data is not at hand: set LTR_DATA to its folder")
    return folder
