"""Save and load records of arrays, in open formats, so that nothing is lost half-way.

A file is written beside its destination, flushed to the disk, and then put in its place in one move: a
reader sees the old file or the new one, never a part. It carries a digest of its contents; a file that
was damaged, or that holds something else than is asked for, is refused. (A writer that is killed may
leave its unfinished file behind, under a name that begins with a dot.)

The suffix says the format: ``.safetensors``, which most frameworks read, or NumPy's ``.npz``. No
pickled object is ever read.

Source: the safetensors format, https://github.com/huggingface/safetensors.
"""

import hashlib
import io
import json
import os
import secrets
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bptt._core import validation
from bptt._core.tree import tree_leaves, tree_map
from bptt._core.types import Array

__all__ = ["load", "save"]

Record = TypeVar("Record")

CODES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
DIGEST = "bptt.sha256"

# What the readers of JSON, ZIP and NPY raise where a file is not what it seems. (RuntimeError: a ZIP of
# another version, with a password, or nesting without end; MemoryError: a size that was never meant.)
DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    OSError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def save(path: str | os.PathLike[str], record: Any) -> None:
    """Save a record of arrays, whole or not at all.

    Parameters
    ----------
    path
        Where to: a file name that ends in ``.safetensors`` or ``.npz``.
    record
        Nested tuples of float32 or float64 arrays: parameters, a gradient, a state of a network. (Of
        a `bptt.training.AdamState`, which counts with an integer, ``(state.mean, state.square)``.)

    Raises
    ------
    TypeError
        If a leaf is not a float32 or float64 array.
    ValueError
        If the suffix is another, or an entry is not finite.
    OSError
        If the file cannot be written; what was there before stays.

    Examples
    --------
    >>> import pathlib, tempfile, bptt
    >>> tiny = bptt.teaching.tiny()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "tiny.safetensors"
    ...     bptt.save(path, tiny.params)
    ...     again = bptt.load(path, like=tiny.params)
    >>> bool((again.readout.w == tiny.params.readout.w).all())
    True
    """
    target = Path(path)
    pack = _format(target)[0]
    arrays: dict[str, Array] = {}
    for name, leaf in tree_leaves(record, "record"):
        validation.finite(name, validation.floating(name, leaf))
        native = leaf.dtype.newbyteorder("=")
        arrays[name.removeprefix("record").lstrip(".") or "array"] = leaf.astype(native, order="C")
    _replace(target, pack(arrays))


def load(path: str | os.PathLike[str], like: Record) -> Record:
    """Load a record of arrays that `save` wrote.

    Parameters
    ----------
    path
        The file.
    like
        A record of the structure, shapes and dtypes that the file must have; its values do not matter.

    Returns
    -------
    Record
        What was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or does not hold what `like` asks for.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np, bptt
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "ones.npz"
    ...     bptt.save(path, (np.ones(2),))
    ...     bptt.load(path, like=(np.zeros(2),))
    (array([1., 1.]),)
    """
    source = Path(path)
    unpack = _format(source)[1]
    data = source.read_bytes()
    try:
        arrays, digest = unpack(data)
    except DAMAGE as error:
        msg = f"{source.name} must be a whole file that bptt.save wrote, got a damaged one: {error}"
        raise ValueError(msg) from None
    if digest != _digest(arrays):
        msg = f"{source.name} must have the contents it was saved with, got others: it is damaged"
        raise ValueError(msg)
    wanted = {name or "array": leaf for name, leaf in tree_leaves(like)}
    _refuse_other(source.name, wanted, arrays)
    remaining = iter(wanted)
    return tree_map(lambda _: arrays[next(remaining)], like)


def _refuse_other(file: str, wanted: Mapping[str, Array], arrays: Mapping[str, Array]) -> None:
    if set(wanted) != set(arrays):
        missing, extra = sorted(set(wanted) - set(arrays)), sorted(set(arrays) - set(wanted))
        msg = f"{file} must hold the arrays of like; it lacks {missing} and has {extra} too"
        raise ValueError(msg)
    for name, leaf in wanted.items():
        got = arrays[name]
        if got.shape != leaf.shape or got.dtype != leaf.dtype:
            msg = f"{name} in {file} must be {leaf.dtype} {leaf.shape}, got {got.dtype} {got.shape}"
            raise ValueError(msg)


def _format(path: Path) -> tuple[Any, Any]:
    formats = {".safetensors": (_to_safetensors, _from_safetensors), ".npz": (_to_npz, _from_npz)}
    if path.suffix not in formats:
        msg = f"path must end in {' or '.join(formats)}, got {path.name}"
        raise ValueError(msg)
    return formats[path.suffix]


def _digest(arrays: Mapping[str, Array]) -> str:
    found = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        found.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


def _to_safetensors(arrays: Mapping[str, Array]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {DIGEST: _digest(arrays)}}
    code = {dtype.name: name for name, dtype in CODES.items()}
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        kind = code[array.dtype.name]
        parts.append(array.astype(CODES[kind]).tobytes())
        span = [offset, offset := offset + len(parts[-1])]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": span}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def _from_safetensors(data: bytes) -> tuple[dict[str, Array], str]:
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < start:
        msg = f"its header ends at byte {start} of {len(data)}"
        raise ValueError(msg)
    header = json.loads(data[8:start])
    digest = header.pop("__metadata__")[DIGEST]
    arrays: dict[str, Array] = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        flat = np.frombuffer(data[start + first : start + last], CODES[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"]).astype(flat.dtype.newbyteorder("="))
    return arrays, digest


def _to_npz(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    entries: Any = {**arrays, DIGEST: np.array(_digest(arrays))}
    np.savez(buffer, **entries)
    return buffer.getvalue()


def _from_npz(data: bytes) -> tuple[dict[str, Array], str]:
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    return arrays, str(arrays.pop(DIGEST))


def _replace(target: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, and put it in its place in one move."""
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
