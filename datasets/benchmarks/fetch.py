"""Public benchmark data sets by name."""

from __future__ import annotations

import numpy as np

from ltr.arguments import check_choice
from ltr.datasets.benchmarks.sources import (
    SOURCES,
    Place,
    RankingSplits,
    fetch_splits,
)
from ltr.files import PathLike


def fetch_letor_mq2007(
    fold: int = 1,
    *,
    path: PathLike | None = None,
    url: str | None = None,
    sha256: str | None = None,
    data_home: PathLike | None = None,
    dtype: type[np.floating] = np.float64,
    verbose: bool = True,
) -> RankingSplits:
    r"""Fetch a fold of LETOR 4.0 MQ2007: 46 features, labels 0 to 2.

    ltr has no download address for it: pass ``path`` or ``url``. Microsoft publishes a
    RAR archive, which Python cannot read: extract it and pass the folder.

    Parameters
    ----------
    fold : int, default=1
        Fold 1 to 5.
    path : path, default=None
        A local archive (zip or tar), or the folder of its files, read into memory.
        Neither the network nor the cache is used.
    url : str, default=None
        Address of a zip or tar archive.
    sha256 : str, default=None
        Checksum of the archive at ``url``. None: it is printed, not checked.
    data_home : path, default=None
        Folder for downloads. None: the environment variable ``LTR_DATA_HOME``, or
        ``~/.cache/ltr``.
    dtype : float type, default=numpy.float64
        Type of ``X``.
    verbose : bool, default=True
        Whether to print progress to standard error. The terms of the data are always
        printed before a download.

    Returns
    -------
    splits : RankingSplits
        ``train``, ``valid``, ``test``: memory-mapped from the cache (see
        :func:`open_ranking`), or in memory with ``path``.

    Raises
    ------
    ConnectionError
        If the download fails; bytes received are kept, and the next call resumes.
    ValueError
        If ``fold`` is unknown, there is no address, the checksum is wrong, or the
        archive is damaged or lacks the expected files.
    OSError
        If the disk is full; nothing is kept.

    See Also
    --------
    load_letor : For the files S1.txt to S5.txt.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "Fold1"
    >>> folder.mkdir()
    >>> for name in ("train", "vali", "test"):
    ...     _ = (folder / f"{name}.txt").write_text("2 qid:7 1:0.5\n0 qid:7 2:4\n")
    >>> fetch_letor_mq2007(path=folder.parent).train
    RankingData(1 queries, 2 rows, 46 features)
    """
    return _fold("mq2007", fold, Place(path, url, sha256, data_home, dtype, verbose))


def fetch_letor_mq2008(
    fold: int = 1,
    *,
    path: PathLike | None = None,
    url: str | None = None,
    sha256: str | None = None,
    data_home: PathLike | None = None,
    dtype: type[np.floating] = np.float64,
    verbose: bool = True,
) -> RankingSplits:
    r"""Fetch a fold of LETOR 4.0 MQ2008: 46 features, labels 0 to 2.

    ltr has no download address for it: pass ``path`` or ``url``. Microsoft publishes a
    RAR archive, which Python cannot read: extract it and pass the folder.

    Parameters
    ----------
    fold : int, default=1
        Fold 1 to 5.
    path : path, default=None
        A local archive (zip or tar), or the folder of its files, read into memory.
        Neither the network nor the cache is used.
    url : str, default=None
        Address of a zip or tar archive.
    sha256 : str, default=None
        Checksum of the archive at ``url``. None: it is printed, not checked.
    data_home : path, default=None
        Folder for downloads. None: the environment variable ``LTR_DATA_HOME``, or
        ``~/.cache/ltr``.
    dtype : float type, default=numpy.float64
        Type of ``X``.
    verbose : bool, default=True
        Whether to print progress to standard error. The terms of the data are always
        printed before a download.

    Returns
    -------
    splits : RankingSplits
        ``train``, ``valid``, ``test``: memory-mapped from the cache (see
        :func:`open_ranking`), or in memory with ``path``.

    Raises
    ------
    ConnectionError
        If the download fails; bytes received are kept, and the next call resumes.
    ValueError
        If ``fold`` is unknown, there is no address, the checksum is wrong, or the
        archive is damaged or lacks the expected files.
    OSError
        If the disk is full; nothing is kept.

    See Also
    --------
    load_letor : For the files S1.txt to S5.txt.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "Fold1"
    >>> folder.mkdir()
    >>> for name in ("train", "vali", "test"):
    ...     _ = (folder / f"{name}.txt").write_text("2 qid:7 1:0.5\n0 qid:7 2:4\n")
    >>> fetch_letor_mq2008(path=folder.parent).train
    RankingData(1 queries, 2 rows, 46 features)
    """
    return _fold("mq2008", fold, Place(path, url, sha256, data_home, dtype, verbose))


def fetch_mslr(
    size: str = "10k",
    fold: int = 1,
    *,
    path: PathLike | None = None,
    url: str | None = None,
    sha256: str | None = None,
    data_home: PathLike | None = None,
    dtype: type[np.floating] = np.float64,
    verbose: bool = True,
) -> RankingSplits:
    r"""Fetch a fold of MSLR-WEB10K or MSLR-WEB30K: 136 features, labels 0 to 4.

    Parameters
    ----------
    size : {"10k", "30k"}, default="10k"
        Thousands of queries.
    fold : int, default=1
        Fold 1 to 5.
    path : path, default=None
        A local archive (zip or tar), or the folder of its files, read into memory.
        Neither the network nor the cache is used.
    url : str, default=None
        Another address of the archive.
    sha256 : str, default=None
        Checksum of the archive. None: the known one; with ``url``, it is printed, not
        checked.
    data_home : path, default=None
        Folder for downloads. None: the environment variable ``LTR_DATA_HOME``, or
        ``~/.cache/ltr``.
    dtype : float type, default=numpy.float64
        Type of ``X``.
    verbose : bool, default=True
        Whether to print progress to standard error. The terms of the data are always
        printed before a download.

    Returns
    -------
    splits : RankingSplits
        ``train``, ``valid``, ``test``: memory-mapped from the cache (see
        :func:`open_ranking`), or in memory with ``path``.

    Raises
    ------
    ConnectionError
        If the download fails; bytes received are kept, and the next call resumes.
    ValueError
        If ``size`` or ``fold`` is unknown, the checksum is wrong, or the archive is
        damaged or lacks the expected files.
    OSError
        If the disk is full; nothing is kept.

    References
    ----------
    T. Qin and T.-Y. Liu, "Introducing LETOR 4.0 datasets", arXiv:1306.2597, 2013.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "Fold1"
    >>> folder.mkdir()
    >>> for name in ("train", "vali", "test"):
    ...     _ = (folder / f"{name}.txt").write_text("2 qid:7 1:0.5\n0 qid:7 2:4\n")
    >>> fetch_mslr(path=folder.parent).valid
    RankingData(1 queries, 2 rows, 136 features)
    """
    check_choice("size", size, ("10k", "30k"))
    place = Place(path, url, sha256, data_home, dtype, verbose)
    return _fold(f"mslr-web{size}", fold, place)


def fetch_istella(
    version: str = "s",
    *,
    path: PathLike | None = None,
    url: str | None = None,
    sha256: str | None = None,
    data_home: PathLike | None = None,
    dtype: type[np.floating] = np.float64,
    verbose: bool = True,
) -> RankingSplits:
    r"""Fetch Istella LETOR: 220 features, labels 0 to 4.

    Some features are 1.797e308, the largest double; single precision
    (``dtype=numpy.float32``) cannot hold them and is refused where they occur.

    Parameters
    ----------
    version : {"s", "full", "x"}, default="s"
        Istella-S, a sample with fewer documents, Istella, or Istella-X.
    path : path, default=None
        A local archive (zip or tar), or the folder of its files, read into memory.
        Neither the network nor the cache is used.
    url : str, default=None
        Another address of the archive.
    sha256 : str, default=None
        Checksum of the archive. None: the known one; with ``url``, it is printed, not
        checked.
    data_home : path, default=None
        Folder for downloads. None: the environment variable ``LTR_DATA_HOME``, or
        ``~/.cache/ltr``.
    dtype : float type, default=numpy.float64
        Type of ``X``.
    verbose : bool, default=True
        Whether to print progress to standard error. The terms of the data are always
        printed before a download.

    Returns
    -------
    splits : RankingSplits
        ``train``, ``valid``, ``test`` (``valid`` is None for ``"full"``): memory-mapped
        from the cache (see :func:`open_ranking`), or in memory with ``path``.

    Raises
    ------
    ConnectionError
        If the download fails; bytes received are kept, and the next call resumes.
    ValueError
        If ``version`` is unknown, the checksum is wrong, or the archive is damaged or
        lacks the expected files.
    OSError
        If the disk is full; nothing is kept.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "sample"
    >>> folder.mkdir()
    >>> for name in ("train", "vali", "test"):
    ...     _ = (folder / f"{name}.txt").write_text("2 qid:7 1:0.5\n0 qid:7 2:4\n")
    >>> fetch_istella(path=folder.parent).test
    RankingData(1 queries, 2 rows, 220 features)
    """
    check_choice("version", version, tuple(_ISTELLA))
    key, folder, splits = _ISTELLA[version]
    members = {split: f"{folder}{_FILES[split]}" for split in splits}
    place = Place(path, url, sha256, data_home, dtype, verbose)
    return fetch_splits(key, members, place)


def fetch_yahoo(
    path: PathLike | None = None,
    *,
    subset: int = 1,
    dtype: type[np.floating] = np.float64,
) -> RankingSplits:
    r"""Read the Yahoo! Learning to Rank Challenge: 700 features, labels 0 to 4.

    Parameters
    ----------
    path : path, default=None
        The archive that Yahoo! gives to license holders, or the folder of its files.
        There is no public download.
    subset : int, default=1
        Set 1, or set 2 of the challenge's transfer track.
    dtype : float type, default=numpy.float64
        Type of ``X``.

    Returns
    -------
    splits : RankingSplits
        ``train``, ``valid``, ``test``, in memory. If they do not fit, convert the files
        with :func:`convert_letor`.

    Raises
    ------
    ValueError
        If ``path`` is missing (the message says where to request a license), or the
        archive is damaged or lacks the expected files.

    References
    ----------
    O. Chapelle and Y. Chang, "Yahoo! Learning to Rank Challenge Overview", JMLR W&CP 14
    (2011) 1-24.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("train", "valid", "test"):
    ...     _ = (folder / f"set1.{name}.txt").write_text("2 qid:7 1:0.5\n")
    >>> fetch_yahoo(folder).train
    RankingData(1 queries, 1 rows, 700 features)
    """
    check_choice("subset", subset, (1, 2))
    if path is None:
        source = SOURCES["yahoo"]
        raise ValueError(
            f"{source.name} requires {source.terms}: request it at {source.homepage} "
            "and pass path= with the archive or its folder."
        )
    names = ("train", "valid", "test")
    members = {name: f"set{subset}.{name}.txt" for name in names}
    return fetch_splits("yahoo", members, Place(path, dtype=dtype))


_FILES = {"train": "train.txt", "valid": "vali.txt", "test": "test.txt"}
_ISTELLA = {
    "s": ("istella-s", "sample/", ("train", "valid", "test")),
    "full": ("istella", "full/", ("train", "test")),
    "x": ("istella-x", "", ("train", "valid", "test")),
}


def _fold(key: str, fold: int, place: Place) -> RankingSplits:
    check_choice("fold", fold, (1, 2, 3, 4, 5))
    members = {split: f"Fold{fold}/{name}" for split, name in _FILES.items()}
    return fetch_splits(key, members, place)
