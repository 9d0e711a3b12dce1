"""Sources of benchmark data sets: downloaded and converted once, then mapped."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ltr.datasets.benchmarks.archives import (
    BrokenArchiveError,
    MissingMemberError,
    read_member,
)
from ltr.datasets.benchmarks.download import (
    checksum,
    download,
    home_folder,
    report_to_stderr,
)
from ltr.datasets.letor.arrays import open_ranking, write_arrays
from ltr.datasets.letor.features import GrowingTable
from ltr.datasets.letor.files import read_rows
from ltr.datasets.ranking_data import RankingData
from ltr.files import (
    PathLike,
    whole_file,
    whole_folder,
)
from ltr.locks import one_at_a_time


class RankingSplits(NamedTuple):
    """The official split of a data set.

    Attributes
    ----------
    train : RankingData
        Queries to train on.
    valid : RankingData or None
        Queries for early stopping and model selection; None where there are none.
    test : RankingData
        Queries to report on.
    """

    train: RankingData
    valid: RankingData | None
    test: RankingData


@dataclass(frozen=True)
class Source:
    """Origin of a data set; ``url`` and ``sha256`` are None if unknown."""

    name: str
    homepage: str
    terms: str
    n_features: int
    url: str | None = None
    sha256: str | None = None


_LETOR_PAGE = (
    "https://www.microsoft.com/en-us/research/project/"
    "letor-learning-rank-information-retrieval/letor-4-0/"
)
_MSLR_PAGE = "https://www.microsoft.com/en-us/research/project/mslr/"
_ISTELLA_PAGE = "http://quickrank.isti.cnr.it/istella-dataset/"
_LETOR_TERMS = "Microsoft's LETOR agreement (see the page); do not redistribute"
_MSLR_TERMS = "Microsoft's research license (see the page); do not redistribute"
_ISTELLA_TERMS = "the Istella license agreement (see the page)"
# Addresses and checksums are those of pytorchltr 0.2.1 (pytorchltr/datasets/svmrank);
# we have not checked whether the servers still answer.
SOURCES = {
    "mq2007": Source("LETOR 4.0 MQ2007", _LETOR_PAGE, _LETOR_TERMS, 46),
    "mq2008": Source("LETOR 4.0 MQ2008", _LETOR_PAGE, _LETOR_TERMS, 46),
    "mslr-web10k": Source(
        "MSLR-WEB10K",
        _MSLR_PAGE,
        _MSLR_TERMS,
        136,
        "https://api.onedrive.com/v1.0/shares/s!AtsMfWUz5l8nbOIoJ6Ks0bEMp78/root/content",
        "2902142ea33f18c59414f654212de5063033b707d5c3939556124b1120d3a0ba",
    ),
    "mslr-web30k": Source(
        "MSLR-WEB30K",
        _MSLR_PAGE,
        _MSLR_TERMS,
        136,
        "https://api.onedrive.com/v1.0/shares/s!AtsMfWUz5l8nbXGPBlwD1rnFdBY/root/content",
        "08cb7977e1d5cbdeb57a9a2537a0923dbca6d46a76db9a6afc69e043c85341ae",
    ),
    "istella-s": Source(
        "Istella-S LETOR",
        _ISTELLA_PAGE,
        _ISTELLA_TERMS,
        220,
        "http://library.istella.it/dataset/istella-s-letor.tar.gz",
        "41b21116a3650cc043dbe16f02ee39f4467f9405b37fdbcc9a6a05e230a38981",
    ),
    "istella": Source(
        "Istella LETOR",
        _ISTELLA_PAGE,
        _ISTELLA_TERMS,
        220,
        "http://library.istella.it/dataset/istella-letor.tar.gz",
        "d45899d9a6a0e48afb250aac7ee3dc50e73e263687f15761d754515cd8284e0b",
    ),
    "istella-x": Source(
        "Istella-X LETOR",
        _ISTELLA_PAGE,
        _ISTELLA_TERMS,
        220,
        "http://quickrank.isti.cnr.it/istella-datasets-mirror/istella-X.tar.gz",
        "e67be60d1c6a68983a669e4de9df2c395914717b2017cb3b68a97eb89f2ea763",
    ),
    "yahoo": Source(
        "Yahoo! Learning to Rank Challenge",
        "https://webscope.sandbox.yahoo.com/catalog.php?datatype=c",
        "a license that Yahoo! grants on request",
        700,
    ),
}
_ARCHIVE = "archive"
_ORIGIN = "archive.json"


@dataclass(frozen=True)
class Place:
    """Options of the caller: where to get a data set, and how to store it."""

    path: PathLike | None = None
    url: str | None = None
    sha256: str | None = None
    data_home: PathLike | None = None
    dtype: type[np.floating] = np.float64
    verbose: bool = True


def fetch_splits(key: str, members: Mapping[str, str], place: Place) -> RankingSplits:
    """Read the splits from a path, or from the cache, which is filled if necessary."""
    if place.path is not None:
        source = Path(place.path)
        return _in_order({k: _load(source, key, m, place) for k, m in members.items()})
    home = _home(home_folder(place.data_home) / key, place)
    kind = np.dtype(place.dtype).name
    folders = {k: home / f"{m.replace('/', '-')}-{kind}" for k, m in members.items()}
    if not all(folder.exists() for folder in folders.values()):
        _fill(key, home, {folders[k]: m for k, m in members.items()}, place)
    return _in_order({split: open_ranking(f) for split, f in folders.items()})


def _home(home: Path, place: Place) -> Path:
    """Folder of the cache for the archive that the caller asks for.

    It is the folder of the data set, or one inside of it if that was filled from an
    archive with another checksum, or from another address.
    """
    if not home.exists() or (place.url is None and place.sha256 is None):
        return home
    url, digest = _origin(home)
    if place.sha256 is not None:
        is_other, mark = digest != place.sha256.lower(), place.sha256.lower()
    else:
        is_other = url not in (None, place.url)
        mark = hashlib.sha256(str(place.url).encode()).hexdigest()
    is_filled = any(home.glob("*.txt-*")) or (home / _ARCHIVE).exists()
    return home / mark[:16] if is_filled and is_other else home


def _origin(home: Path) -> tuple[str | None, str | None]:
    """Address and checksum of the archive that filled a folder; None if unknown."""
    try:
        about = json.loads((home / _ORIGIN).read_text(encoding="utf-8"))
        return str(about["url"]), str(about["sha256"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        archive = home / _ARCHIVE
        return None, checksum(archive) if archive.is_file() else None


def _drop_damaged(home: Path) -> None:
    """Delete a cached archive that is no longer the one that was downloaded."""
    archive = home / _ARCHIVE
    if archive.exists() and (home / _ORIGIN).exists():
        _, digest = _origin(home)
        if checksum(archive) != digest:
            sys.stderr.write(f"{archive} has changed since its download: deleted.\n")
            archive.unlink()


def _fill(key: str, home: Path, members: Mapping[Path, str], place: Place) -> None:
    """Make the missing folders of arrays."""
    url = place.url or SOURCES[key].url
    by_hand = (
        f"Download {SOURCES[key].name} by hand from {SOURCES[key].homepage} and pass "
        "path= with the archive or its folder."
    )
    if url is None and not (home / _ARCHIVE).exists():
        raise ValueError(
            f"ltr knows no address of {SOURCES[key].name}. {by_hand} Or pass url= with "
            "the address of a zip or tar archive, and sha256= with its checksum."
        )
    home.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(home):
        for leftover in home.glob(".*.txt-*"):  # of a killed process
            shutil.rmtree(leftover)
        _drop_damaged(home)
        if url is not None and not (home / _ARCHIVE).exists():
            _download(key, home, url, by_hand, place)
        for folder, member in members.items():
            if not folder.exists():
                _convert(home / _ARCHIVE, key, member, folder, place)


def _in_order(parts: Mapping[str, RankingData]) -> RankingSplits:
    return RankingSplits(parts["train"], parts.get("valid"), parts["test"])


def _load(source: Path, key: str, member: str, place: Place) -> RankingData:
    width = SOURCES[key].n_features
    table = GrowingTable(width, place.dtype, first_index=1)
    chunks = read_member(source, member, width, place.dtype)
    y, qid, docids = read_rows(chunks, table, width)
    description = f"{SOURCES[key].name}, {member}"
    return RankingData(table.X, y, qid, description=description, docids=docids)


def _convert(archive: Path, key: str, member: str, folder: Path, place: Place) -> None:
    source = SOURCES[key]
    if place.verbose:
        sys.stderr.write(f"{source.name}: converting {member} (once)\n")
    try:
        with whole_folder(folder) as scratch:
            chunks = read_member(archive, member, source.n_features, place.dtype)
            description = f"{source.name}, {member}"
            write_arrays(scratch, chunks, source.n_features, place.dtype, description)
    except (BrokenArchiveError, MissingMemberError) as error:
        archive.unlink()
        archive.with_name(_ORIGIN).unlink(missing_ok=True)
        raise ValueError(
            f"{error} It was deleted from the cache; the next call downloads it again."
        ) from error


def _download(key: str, home: Path, url: str, by_hand: str, place: Place) -> None:
    source = SOURCES[key]
    sha256 = place.sha256 or (source.sha256 if place.url is None else None)
    sys.stderr.write(
        f"Downloading {source.name} from {url}\nto {home}.\n"
        f"Its page: {source.homepage}\nTerms: {source.terms}.\n"
    )
    progress = report_to_stderr(source.name) if place.verbose else lambda *_: None
    digest = download(
        url, home / _ARCHIVE, sha256=sha256, by_hand=by_hand, progress=progress
    )
    with whole_file(home / _ORIGIN) as scratch:
        scratch.write_text(json.dumps({"url": url, "sha256": digest}), "utf-8")
    if sha256 is None:
        sys.stderr.write(
            f"ltr knows no checksum of {source.name} at this address. The download has "
            f"the SHA-256 {digest}; pass it as sha256= to have it checked.\n"
        )
