"""Folders of saved models: replaced at once, read whole, and checked by checksums.

A folder holds ``ranker.json``, the *document*, and the files whose SHA-256 it names,
the *parts*. Each part has a plain name (``trees.txt``) and a name that contains its
checksum (``trees-0123456789abcdef.txt``). A writer that holds the lock of the folder

1. writes the new parts under the names with checksums,
2. replaces the document, which is the instant from which on the new model counts,
3. renames the parts to their plain names.

So the parts of the document are there under one name or the other at any time, and a
killed writer leaves either the old or the new model. The next writer goes on with step
3 and deletes what no document names. A reader looks for the name with the checksum
first: a part that it misses under both names belongs to a document that has been
replaced since, and it begins again with the new one.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ltr.files import PathLike

FORMAT = 2
_FORMATS = (FORMAT, 1)  # format 1 has no checksum of the document
DOCUMENT = "ranker.json"
# "member1-trees.txt" are the trees of the second member of a blend
_OWN_NAME = (
    r"ranker\.json|(member\d+-)*(arrays|trees)(-[0-9a-f]{16})?\.(npz|txt)"
    r"|\.(ranker|arrays|trees|member\d).*"
)
_DEEPEST = 10  # blends within blends
_READS_WITHOUT_LOCK = 20


class SavedModel(NamedTuple):
    """Contents of a folder.

    Attributes
    ----------
    document : dict
        ``ranker.json``.
    parts : dict of str to bytes
        The other files, by their plain names.
    """

    document: dict[str, Any]
    parts: dict[str, bytes]


def write_model(folder: PathLike, model: SavedModel) -> None:
    """Make or replace a saved model.

    Parameters
    ----------
    folder : path
        New, empty, or the folder of a saved model; the parent must exist.
    model : SavedModel
        What to write; its format and checksums are added to the document.

    Raises
    ------
    FileExistsError
        If ``folder`` is something else.
    """
    from ltr.files import sweep_leftovers, whole_folder
    from ltr.locks import locked

    target = Path(folder).resolve()
    check_replaceable(target)
    sweep_leftovers(target)
    document = _with_checksums(model)
    if not target.exists() or not any(target.iterdir()):
        try:
            with whole_folder(target, replace_empty=True) as scratch:
                for name, part in model.parts.items():
                    (scratch / name).write_bytes(part)
                (scratch / DOCUMENT).write_text(document, encoding="utf-8")
            return
        except FileExistsError:
            check_replaceable(target)  # another process has made it meanwhile
    with locked(target) as is_locked:
        _replace(target, model.parts, document, is_alone=is_locked is True)


def read_model(folder: PathLike) -> SavedModel:
    """Read a saved model, whatever is written meanwhile.

    Parameters
    ----------
    folder : path
        The folder.

    Returns
    -------
    model : SavedModel

    Raises
    ------
    ValueError
        If the folder holds no saved model, or it is damaged.
    """
    source = Path(folder)
    text = _document_text(source)
    for _ in range(_READS_WITHOUT_LOCK):
        model, missing = _read_parts(source, text)
        if missing is None:
            return model
        newer = _document_text(source)
        if newer == text:
            raise _damaged(source, missing)
        text = newer
    from ltr.locks import locked

    with locked(source):  # writers are faster than this reader, so they have to wait
        model, missing = _read_parts(source, _document_text(source))
    if missing is not None:
        raise _damaged(source, missing)
    return model


@contextmanager
def damage_as_value_error(source: Path) -> Iterator[None]:
    """Turn errors from odd contents of a saved model into a ValueError with its name.

    Parameters
    ----------
    source : Path
        The folder.

    Raises
    ------
    ValueError
        In place of what an unexpected kind or a missing field raises.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    except (
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ValueError(
            f"{source} is not a complete saved ranker: {type(error).__name__}: "
            f"{error}. Save it again."
        ) from error


def members_of(model: SavedModel) -> list[SavedModel]:
    """The models of a blend's members: their documents and parts."""
    members = []
    for i, document in enumerate(model.document.get("members", [])):
        prefix = f"member{i}-"
        parts = {
            name.removeprefix(prefix): part
            for name, part in model.parts.items()
            if name.startswith(prefix)
        }
        members.append(SavedModel(document, parts))
    return members


def check_replaceable(target: Path) -> None:
    """Raise unless a folder is new, empty, or holds a saved model and nothing else.

    Parameters
    ----------
    target : Path
        Folder to be written.

    Raises
    ------
    FileExistsError
        If it is something else.
    """
    for path in (target, *target.parents):
        if path.exists() and not path.is_dir():
            below = "" if path == target else f"below {str(path)!r}, "
            raise FileExistsError(
                f"folder must be new or hold a saved ranker only; got {str(target)!r}, "
                f"{below}which is a file. Choose another name."
            )
    if not target.exists():
        return
    names = {path.name for path in target.iterdir()}
    foreign = sorted(name for name in names if not re.fullmatch(_OWN_NAME, name))
    if names and DOCUMENT not in names:
        foreign = foreign or [f"no {DOCUMENT}"]
    if foreign:
        raise FileExistsError(
            f"folder must be new or hold a saved ranker only; got {str(target)!r}, "
            f"which has {foreign[0]!r}. Choose another name."
        )


def _replace(
    folder: Path, parts: Mapping[str, bytes], document: str, *, is_alone: bool
) -> None:
    """Steps 1 to 3; without a lock, another writer may be at work in the folder."""
    from ltr.files import whole_file
    from ltr.locks import sweep

    if is_alone:
        _settle(folder)
    sweep(folder, ".*.ltr-part")
    for name, part in parts.items():
        with whole_file(folder / _versioned(name, _sha256(part))) as scratch:
            scratch.write_bytes(part)
    with whole_file(folder / DOCUMENT) as scratch:
        scratch.write_text(document, encoding="utf-8")
    if is_alone:
        _settle(folder)


def _settle(folder: Path) -> None:
    """Give the parts of the document their plain names, and delete other parts."""
    try:
        checksums = _checksums(folder, _parse(folder, _document_text(folder)))
    except ValueError:
        return  # nothing is known about the parts of a damaged document
    from ltr.files import replace

    for name, checksum in checksums.items():
        part = folder / _versioned(name, checksum)
        if part.exists():
            replace(part, folder / name)
    for path in folder.iterdir():
        if path.name not in (DOCUMENT, *checksums) and re.fullmatch(
            _OWN_NAME, path.name
        ):
            path.unlink(missing_ok=True)


def _read_parts(source: Path, text: bytes) -> tuple[SavedModel, str | None]:
    """Read what the document names; the name of the first part that is missing."""
    document = _parse(source, text)
    parts = {}
    for name, checksum in _checksums(source, document).items():
        for path in (source / _versioned(name, checksum), source / name):
            part = _bytes(path)
            if part is not None and _sha256(part) == checksum:
                parts[name] = part
                break
        else:
            return SavedModel(document, {}), name
    return SavedModel(document, parts), None


def _document_text(source: Path) -> bytes:
    text = _bytes(source / DOCUMENT)
    if text is None:
        fault, cure = f"has no {DOCUMENT}", ""
        if source.is_file():
            fault = "is a file"
            cure = " A model file of LightGBM: LambdaMARTRanker.from_booster reads it."
        elif not source.exists():
            fault = "does not exist"
        raise ValueError(
            f"folder must hold a saved ranker; got {str(source)!r}, which {fault}. "
            f"Write one with save_ranker or `ltr train`.{cure}"
        )
    return text


def _bytes(path: Path) -> bytes | None:
    """Contents of a plain file; None if there is none (a pipe would be waited for)."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _parse(source: Path, text: bytes) -> dict[str, Any]:
    """The document, with its own checksum verified."""
    path = source / DOCUMENT
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not JSON: {error}. Save the ranker again."
        ) from error
    if not isinstance(document, dict):
        raise ValueError(
            f"{path} must hold an object; got {type(document).__name__}. Save the "
            "ranker again."
        )
    number = document.get("format")
    if number not in _FORMATS:
        raise ValueError(
            f"{path} must have format {FORMAT} or 1; got {number!r:.100}. Update ltr, "
            "or save the ranker again."
        )
    if number == FORMAT and document.get("checksum") != _own_checksum(document):
        raise ValueError(
            f"{path} is not the file that was saved: its checksum differs. Save the "
            "ranker again."
        )
    return document


def _checksums(source: Path, document: dict[str, Any]) -> dict[str, str]:
    """SHA-256 of each part; documents of models with trees name the trees."""
    checksums = document.get("sha256")
    expected = _part_names(source, document)
    if not isinstance(checksums, dict) or set(checksums) != expected:
        raise ValueError(
            f"sha256 in {source / DOCUMENT} must have the keys {sorted(expected)}; got "
            f"{checksums!r:.200}. Save the ranker again."
        )
    for name, checksum in checksums.items():
        if not isinstance(checksum, str) or not re.fullmatch("[0-9a-f]{64}", checksum):
            raise ValueError(
                f"sha256 of {name} in {source / DOCUMENT} must be 64 hexadecimal "
                f"digits; got {checksum!r:.200}. Save the ranker again."
            )
    return checksums


def _part_names(
    source: Path, document: dict[str, Any], prefix: str = "", depth: int = 0
) -> set[str]:
    """Names of the parts of a model and, in a blend, of its members."""
    names = {f"{prefix}arrays.npz"}
    if document.get("class") == "LambdaMARTRanker":
        names.add(f"{prefix}trees.txt")
    members = document.get("members", [])
    is_list = isinstance(members, list) and depth < _DEEPEST
    if not is_list or not all(isinstance(member, dict) for member in members):
        raise ValueError(
            f"members in {source / DOCUMENT} must be a list of objects, at most "
            f"{_DEEPEST} deep; got {members!r:.200}. Save the ranker again."
        )
    for i, member in enumerate(members):
        names |= _part_names(source, member, f"{prefix}member{i}-", depth + 1)
    return names


def _damaged(source: Path, name: str) -> ValueError:
    return ValueError(
        f"{source / name} is not the file that was saved with {DOCUMENT}: its checksum "
        "differs, or it is missing. Save the ranker again."
    )


def _with_checksums(model: SavedModel) -> str:
    """Text of the document, with the checksums of the parts and its own."""
    sha256 = {name: _sha256(part) for name, part in sorted(model.parts.items())}
    # as it will be read: JSON has no tuples and no numbers as keys
    content = {"format": FORMAT, **model.document, "sha256": sha256}
    document = json.loads(json.dumps(content))
    document["checksum"] = _own_checksum(document)
    return json.dumps(document, indent=1) + "\n"


def _own_checksum(document: dict[str, Any]) -> str:
    """SHA-256 of all values of the document but itself, whatever the spaces between."""
    values = {key: value for key, value in document.items() if key != "checksum"}
    return _sha256(json.dumps(values, sort_keys=True).encode())


def _versioned(name: str, checksum: str) -> str:
    stem, suffix = name.split(".")
    return f"{stem}-{checksum[:16]}.{suffix}"


def _sha256(part: bytes) -> str:
    return hashlib.sha256(part).hexdigest()
