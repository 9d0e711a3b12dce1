"""Programs that JAX has compiled, kept on disk for later processes."""

from __future__ import annotations

import os
import sys
from os import PathLike
from pathlib import Path

_FOLDER = "JAX_COMPILATION_CACHE_DIR"
_SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


def compilation_cache(folder: str | PathLike[str] | None = None) -> Path:
    """Keep compiled programs in a folder, where later processes find them.

    A first fit of a neural ranker spends seconds on compilation. With a cache, the next
    process that trains the same scorer and loss, on lists of similar sizes, reads the
    programs instead. The key of a program has the versions and the kind of processor in
    it, so a folder can never give a wrong one. It holds some 20 kB a program, grows,
    and may be deleted at any time. The command line calls this on its own.

    Parameters
    ----------
    folder : path-like, default=None
        Made if it is missing. None: where ``JAX_COMPILATION_CACHE_DIR`` says, or else
        ``~/.cache/ltr/compiled``.

    Returns
    -------
    folder : Path
        The folder in use, by this process and by those that it starts.

    Raises
    ------
    OSError
        If the folder cannot be made.

    Notes
    -----
    Call it before the first fit: what is compiled already stays in this process. It
    sets JAX's own variables, see "Persistent compilation cache" in JAX's documentation;
    setting ``JAX_COMPILATION_CACHE_DIR`` before Python starts does the same for
    programs that take more than a second to compile.

    Examples
    --------
    >>> folder = compilation_cache()
    >>> folder.is_dir()
    True
    """
    if folder is None:
        folder = os.environ.get(_FOLDER) or Path.home() / ".cache" / "ltr" / "compiled"
    path = Path(folder).expanduser()
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} is a file, not a folder")
    path.mkdir(parents=True, exist_ok=True)
    os.environ[_FOLDER] = str(path)
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name.upper(), str(value))
    if "jax" in sys.modules:  # which has read its variables already
        import jax
        from jax.experimental.compilation_cache import compilation_cache as cache

        jax.config.update("jax_compilation_cache_dir", str(path))
        for name, default in _SETTINGS.items():
            jax.config.update(name, type(default)(os.environ[name.upper()]))
        cache.reset_cache()  # it may have opened another folder
    return path
