"""Save and load records of arrays, in open formats, so that nothing is lost half-way.

A file is written beside its destination, flushed to the disk, and then put in its place in one move: a
reader sees the old file or the new one, never a part. It carries a digest of its contents; a file that
was damaged, or that holds something else than is asked for, is refused. Names, shapes and sizes are
compared with what is asked for before an array is read, so that no file can ask for more memory than its
record has. (A writer that is killed may leave its unfinished file behind, under a name that begins with a
dot.)

The suffix says the format: ``.safetensors``, which most frameworks read, or NumPy's ``.npz``. No
pickled object is ever read.

Source: the safetensors format, https://github.com/huggingface/safetensors.
"""

import errno
import hashlib
import io
import json
import os
import secrets
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.lib import format as npy

from bptt._core import validation
from bptt._core.tree import tree_leaves, tree_map
from bptt._core.types import Array

__all__ = ["load", "save"]

Record = TypeVar("Record")

CODES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8")}
DIGEST = "bptt.sha256"
HEADER = 2**24  # bytes; names and shapes of a million arrays take less

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
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

Wanted = Mapping[str, Array]


class _OtherContents(Exception):
    """A file is whole, and holds something else than is asked for."""


def save(path: str | os.PathLike[str], record: Any) -> None:
    """Save a record of arrays, whole or not at all.

    Parameters
    ----------
    path
        Where to: a file name that ends in ``.safetensors`` or ``.npz``. If it is a symbolic link, the
        file that it leads to is replaced. A file that is replaced hands its permissions on.
    record
        Nested tuples of float32, float64 or int64 arrays: parameters, a gradient, the state of a network
        or of an update rule.

    Raises
    ------
    TypeError
        If a leaf is not an array of these dtypes.
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
    for name, leaf in _leaves("record", record).items():
        arrays[name] = leaf.astype(leaf.dtype.newbyteorder("="), order="C")
    for full, leaf in tree_leaves(record, "record"):
        validation.finite(full, leaf)
    if DIGEST in arrays:
        msg = f"record must not have an array called {DIGEST}: the digest has this name"
        raise ValueError(msg)
    _replace(target, pack(arrays))


def load(path: str | os.PathLike[str], like: Record) -> Record:
    """Load a record of arrays that `save` wrote, or another program in the same format.

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
    OSError
        If the file cannot be read; FileNotFoundError if there is none.
    ValueError
        If the file is damaged, or does not hold what `like` asks for.

    Warns
    -----
    UserWarning
        If the file has no digest, because another program wrote it: damage to its numbers would not
        be seen.

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
    wanted = _leaves("like", like)
    with source.open("rb") as file:
        try:
            arrays, digest = unpack(file, wanted)
        except _OtherContents as error:
            msg = f"{source.name} must hold the arrays of like: {error}"
            raise ValueError(msg) from None
        except (*DAMAGE, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise  # of the disk; a place before the beginning of a file is the file's fault
            msg = f"{source.name} must be a whole file, got a damaged one: {error}"
            raise ValueError(msg) from None
    if digest is None:
        msg = (
            f"{source.name} has no digest, since bptt.save did not write it: "
            "its names, shapes and dtypes were checked, its numbers could not be"
        )
        warnings.warn(msg, stacklevel=2)
    elif digest != _digest(arrays):
        msg = f"{source.name} must have the contents it was saved with, got others: it is damaged"
        raise ValueError(msg)
    remaining = iter(wanted)
    return tree_map(lambda _: arrays[next(remaining)], like)


def _leaves(name: str, record: Any) -> dict[str, Array]:
    """Return the arrays of a record by the names that they have in a file."""
    found = {}
    for full, leaf in tree_leaves(record, name):
        if leaf.dtype.newbyteorder("<") not in CODES.values():
            msg = f"{full} must have dtype float32, float64 or int64, got {leaf.dtype}"
            raise TypeError(msg)
        found[full.removeprefix(name).lstrip(".") or "array"] = leaf
    return found


def _same_names(wanted: Wanted, got: set[str]) -> None:
    if set(wanted) != got:
        missing, extra = sorted(set(wanted) - got), sorted(got - set(wanted))
        msg = f"it lacks {missing} and has {extra} too"
        raise _OtherContents(msg)


def _same_form(name: str, leaf: Array, shape: Any, dtype: object) -> None:
    if shape != leaf.shape or dtype != leaf.dtype.newbyteorder("<"):
        msg = f"{name} must be {leaf.dtype} {leaf.shape}, got {dtype} {shape}"
        raise _OtherContents(msg)


def _format(path: Path) -> tuple[Callable[..., bytes], Callable[..., Any]]:
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


def _from_safetensors(file: IO[bytes], wanted: Wanted) -> tuple[dict[str, Array], str | None]:
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    start = 8 + length
    if not 2 <= length <= min(HEADER, size - 8):
        msg = f"its header ends at byte {start} of {size}"
        raise ValueError(msg)
    header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", {})
    _same_names(wanted, set(header))
    offset = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        leaf = wanted[name]
        _same_form(name, leaf, tuple(entry["shape"]), CODES.get(entry["dtype"], entry["dtype"]))
        if entry["data_offsets"] != [offset, offset := offset + leaf.nbytes]:
            msg = f"{name} must be at the bytes that end at {offset}, got {entry['data_offsets']}"
            raise ValueError(msg)
    if size != start + offset:
        msg = f"it must have {start + offset} bytes, got {size}"
        raise ValueError(msg)
    arrays: dict[str, Array] = {}
    for name, entry in header.items():
        file.seek(start + entry["data_offsets"][0])
        arrays[name] = _numbers(file, wanted[name], CODES[entry["dtype"]])
    digest = metadata.get(DIGEST)
    if digest is None and any(len(value) == 64 for value in metadata.values()):
        msg = f"it holds a digest that is not called {DIGEST}"
        raise ValueError(msg)
    return arrays, digest


def _to_npz(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # The digest first: a directory that was cut short lacks an array, not the digest.
        for name, array in {DIGEST: np.array(_digest(arrays)), **arrays}.items():
            # A member without a date of its own: equal records make equal files.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def _from_npz(file: IO[bytes], wanted: Wanted) -> tuple[dict[str, Array], str | None]:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        digest = members.pop(DIGEST, None)
        _same_names(wanted, set(members))
        arrays: dict[str, Array] = {}
        for name, info in members.items():
            with archive.open(info) as member:
                arrays[name] = _read_member(name, member, wanted[name])
        if digest is None:
            return arrays, None
        with archive.open(digest) as member:
            shape, _, dtype = _npy_header(member)
            if shape or dtype != np.dtype("<U64"):
                msg = f"{DIGEST} must be 64 characters, got {dtype} {shape}"
                raise ValueError(msg)
            return arrays, str(np.frombuffer(member.read(dtype.itemsize), dtype)[0])


def _npy_header(member: IO[bytes]) -> tuple[Any, bool, np.dtype[Any]]:
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(member)
    return shape, fortran, dtype


def _read_member(name: str, member: IO[bytes], leaf: Array) -> Array:
    shape, fortran, dtype = _npy_header(member)
    _same_form(name, leaf, shape, dtype.newbyteorder("<") if dtype.byteorder in "=|<" else dtype)
    array = _numbers(member, leaf.T if fortran else leaf, dtype)
    if member.read(1):
        msg = f"{name} must have {leaf.nbytes} bytes, got more"
        raise ValueError(msg)
    return array.T if fortran else array


def _numbers(file: IO[bytes], leaf: Array, dtype: np.dtype[Any]) -> Array:
    """Read as many numbers as an array has; of the machine's byte order, and writable."""
    data = file.read(leaf.nbytes)
    if len(data) < leaf.nbytes:
        msg = f"it ends after {len(data)} of {leaf.nbytes} bytes of an array"
        raise ValueError(msg)
    flat = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))
    return flat.reshape(leaf.shape)


def _replace(target: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, and put it in its place in one move."""
    place = Path(os.path.realpath(target))
    beside = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            beside.chmod(stat.S_IMODE(place.stat().st_mode))
        beside.replace(place)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
