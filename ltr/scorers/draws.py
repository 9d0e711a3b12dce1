"""Random parameters, as jax.random draws them, without a compilation per shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import jax

_MOST = 2**18  # numbers that NumPy draws; XLA is faster for more
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA

Words = NDArray[np.uint32]


def split(key: jax.Array, n_keys: int = 2) -> list[jax.Array]:
    """The keys of :func:`jax.random.split`.

    Parameters
    ----------
    key : PRNG key
        Of any implementation.
    n_keys : int, default=2
        Number of keys.

    Returns
    -------
    keys : list of PRNG keys

    Examples
    --------
    >>> import jax
    >>> key = jax.random.key(0)
    >>> split(key)[1] == jax.random.split(key)[1]
    Array(True, dtype=bool)
    """
    import jax
    import jax.numpy as jnp

    if not _is_drawn_here(key, n_keys):
        return list(jax.random.split(key, n_keys))
    words = np.stack(_threefry(_words(key), n_keys), axis=1)  # (n_keys, 2)
    return [jax.random.wrap_key_data(jnp.asarray(pair)) for pair in words]


def normal(key: jax.Array, shape: tuple[int, ...], scale: float = 1.0) -> jax.Array:
    """``scale`` times the numbers of :func:`jax.random.normal`, but for rounding.

    Parameters
    ----------
    key : PRNG key
        Of any implementation.
    shape : tuple of int
        Of the result.
    scale : float, default=1.0
        Standard deviation.

    Returns
    -------
    numbers : array of this shape

    Notes
    -----
    With u uniform in (−1, 1), √2 erf⁻¹(u) is normal.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> key = jax.random.key(0)
    >>> bool(jnp.allclose(normal(key, (3,)), jax.random.normal(key, (3,))))
    True
    """
    import jax
    import jax.numpy as jnp

    if not _is_drawn_here(key, math.prod(shape)):
        return scale * jax.random.normal(key, shape)
    from scipy.special import erfinv

    dtype = np.dtype(jax.dtypes.canonicalize_dtype(float))
    lowest = np.nextafter(dtype.type(-1), dtype.type(0))
    u = _uniform(key, shape, dtype, lowest).astype(np.float64)
    return jnp.asarray((scale * 2**0.5 * erfinv(u)).astype(dtype))


def uniform(key: jax.Array, shape: tuple[int, ...], bound: float) -> jax.Array:
    """``bound`` times those of :func:`jax.random.uniform` with ``minval=-1``.

    Parameters
    ----------
    key : PRNG key
        Of any implementation.
    shape : tuple of int
        Of the result.
    bound : float
        The numbers are between −bound and bound.

    Returns
    -------
    numbers : array of this shape

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> key = jax.random.key(0)
    >>> expected = jax.random.uniform(key, (3,), minval=-2.0, maxval=2.0)
    >>> bool(jnp.allclose(uniform(key, (3,), 2.0), expected))
    True
    """
    import jax
    import jax.numpy as jnp

    if not _is_drawn_here(key, math.prod(shape)):
        return bound * jax.random.uniform(key, shape, minval=-1.0)
    dtype = np.dtype(jax.dtypes.canonicalize_dtype(float))
    u = _uniform(key, shape, dtype, dtype.type(-1))
    return jnp.asarray((bound * u).astype(dtype))


def constant(shape: tuple[int, ...] | int, value: float = 0.0) -> jax.Array:
    """``jnp.full`` in the default precision, without a compilation."""
    import jax
    import jax.numpy as jnp

    return jnp.asarray(np.full(shape, value, jax.dtypes.canonicalize_dtype(float)))


def seed_key(seed: int) -> jax.Array:
    """``jax.random.key(seed)``, without a compilation for the default kind of keys.

    Parameters
    ----------
    seed : int
        At least 0, below 2**32.

    Returns
    -------
    key : PRNG key

    Examples
    --------
    >>> import jax
    >>> seed_key(5) == jax.random.key(5)
    Array(True, dtype=bool)
    """
    import jax
    import jax.numpy as jnp

    config: Any = jax.config
    if config.jax_default_prng_impl != "threefry2x32":
        return jax.random.key(seed)
    words = np.array([0, seed], dtype=np.uint32)
    return jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")


def _is_drawn_here(key: jax.Array, n_numbers: int) -> bool:
    """Whether it is a key of the default kind, and not a tracer."""
    import jax
    import jax.numpy as jnp

    config: Any = jax.config
    return (
        n_numbers <= _MOST
        and not isinstance(key, jax.core.Tracer)
        and key.shape == ()
        and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        and str(jax.random.key_impl(key)) == "threefry2x32"
        and bool(config.jax_threefry_partitionable)
    )


def _words(key: jax.Array) -> Words:
    import jax

    return np.asarray(jax.random.key_data(key))


def _uniform(
    key: jax.Array, shape: tuple[int, ...], dtype: np.dtype[Any], low: np.floating[Any]
) -> NDArray[Any]:
    """Numbers in [low, 1) from random mantissas: 1.xxx − 1 is uniform in [0, 1)."""
    high_word, low_word = _threefry(_words(key), math.prod(shape))
    if dtype == np.float64:
        bits = high_word.astype(np.uint64) << np.uint64(32) | low_word
    else:
        bits = high_word ^ low_word
    info = np.finfo(dtype)
    mantissas = bits >> bits.dtype.type(info.bits - info.nmant)
    one = np.ones((), dtype).view(bits.dtype)
    floats = (mantissas | one).view(dtype) - dtype.type(1)
    width = dtype.type(1) - low
    return np.maximum(low, floats * width + low).reshape(shape)


def _threefry(key: Words, n_blocks: int) -> tuple[Words, Words]:
    """The first blocks of Threefry-2x32 with 20 rounds, in counter mode.

    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    keys = [key[0], key[1], key[0] ^ key[1] ^ np.uint32(_PARITY)]
    x = np.full(n_blocks, keys[0])  # the counter's high word is 0
    y = np.arange(n_blocks, dtype=np.uint32) + keys[1]
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            x += y
            y = (y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))
            y ^= x
        x += keys[(i + 1) % 3]
        y += keys[(i + 2) % 3] + np.uint32(i + 1)
    return x, y
