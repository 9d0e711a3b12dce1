"""Settings of the test run: strict JAX, hypothesis profiles, an x64 fixture."""

import os
import subprocess
import sys

import hypothesis
import jax
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, their trees too

# Compiling is most of the work here, so programs are optimized less. (Level 0 of jaxlib
# 0.10.2 computes NaN in double precision on machines with AVX.)
_QUICK_COMPILATION = (
    "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false"
)


def _are_known(flags):
    """Whether this version of XLA knows the flags; it ends a process if it does not."""
    environment = {**os.environ, "XLA_FLAGS": flags}
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    return not subprocess.run(command, env=environment, capture_output=True).returncode


# XLA reads them with the first program. Workers inherit what the first process has set.
if "XLA_FLAGS" not in os.environ and _are_known(_QUICK_COMPILATION):
    os.environ["XLA_FLAGS"] = _QUICK_COMPILATION

jax.config.update("jax_numpy_rank_promotion", "raise")

# Laws draw into a few padded shapes, so JAX compiles once and examples are cheap.
# All examples: pytest --hypothesis-profile=thorough
for name, examples in (("default", 50), ("thorough", 200)):
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
    """Most tests train for a few epochs, and do not mean to converge."""
    config.addinivalue_line(
        "filterwarnings", "ignore::sklearn.exceptions.ConvergenceWarning"
    )


@pytest.fixture(autouse=True, scope="module")
def few_compiled_programs():
    """Forget what a module compiled: Linux allows a process 65,530 memory maps."""
    yield
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
