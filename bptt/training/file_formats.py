"""The two formats of files: how arrays become bytes, and how bytes become arrays again.

A reader is told which arrays are wanted, and compares names, shapes, dtypes and sizes with them before it
reads an array: a file of a few bytes cannot ask for gigabytes.

Sources: the safetensors format, https://github.com/huggingface/safetensors; NumPy's ``.npy`` in a ZIP.
"""

import hashlib
import io
import json
import operator
import os
import zipfile
from collections.abc import Callable, Mapping
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from bptt._core import Array

CODES = {code: np.dtype(kind) for code, kind in (("F32", "<f4"), ("F64", "<f8"), ("I64", "<i8"))}
DIGEST = "bptt.sha256"
HEADER = 2**24  # bytes; names and shapes of a million arrays take less
NPY_HEADER = 2**16  # bytes; it holds one shape

Wanted = Mapping[str, Array]


class OtherContents(Exception):
    """A file is whole, and holds something else than is asked for."""


def digest_of(arrays: Mapping[str, Array]) -> str:
    """Return a digest of names, dtypes, shapes and numbers."""
    found = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        found.update(array.astype(array.dtype.newbyteorder("<"), copy=False).ravel().data)
    return found.hexdigest()


def to_safetensors(arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of a safetensors file."""
    header: dict[str, object] = {"__metadata__": {DIGEST: digest_of(arrays)}}
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


def from_safetensors(file: IO[bytes], wanted: Wanted) -> tuple[dict[str, Array], str | None]:
    """Read the wanted arrays, and the digest if there is one."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    start = 8 + length
    if not 2 <= length <= min(HEADER, size - 8):
        msg = f"its header ends at byte {start} of {size}"
        raise ValueError(msg)
    header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", None) or {}
    _same_names(wanted, set(header))
    offset = 0
    in_order = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    for name, entry in in_order:
        leaf = wanted[name]
        _same_form(name, leaf, tuple(entry["shape"]), CODES.get(entry["dtype"], entry["dtype"]))
        place = [offset, offset := offset + leaf.nbytes]
        if list(map(repr, entry["data_offsets"])) != list(map(repr, place)):  # 0.0 is not 0
            msg = f"{name} must be at the bytes that end at {offset}, got {entry['data_offsets']}"
            raise ValueError(msg)
    if size != start + offset:
        msg = f"it must have {start + offset} bytes, got {size}"
        raise ValueError(msg)
    arrays = {}
    for name, entry in in_order:
        data = np.frombuffer(file.read(wanted[name].nbytes), CODES[entry["dtype"]])
        # A copy, which can be written to, in the byte order of the machine.
        arrays[name] = data.reshape(wanted[name].shape).astype(data.dtype.newbyteorder("="))
    digest = metadata.get(DIGEST)
    if digest is None and any(_like_digest(*entry) for entry in metadata.items()):
        msg = f"it holds a digest that is not called {DIGEST}"
        raise ValueError(msg)
    return arrays, digest


def _like_digest(name: str, value: str) -> bool:
    """Say whether an entry is a digest whose name is right but for a few letters, as in a damaged file."""
    return len(value) == 64 and len(name) == len(DIGEST) and sum(map(operator.ne, name, DIGEST)) < 4


def to_npz(arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of an npz file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # The digest first: a directory that was cut short lacks an array, not the digest.
        for name, array in {DIGEST: np.array(digest_of(arrays)), **arrays}.items():
            # A member without a date of its own: equal records make equal files.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()


def from_npz(file: IO[bytes], wanted: Wanted) -> tuple[dict[str, Array], str | None]:
    """Read the wanted arrays, and the digest if there is one."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        digest = members.pop(DIGEST, None)
        _same_names(wanted, set(members))
        arrays = {name: _member(archive, info, wanted[name]) for name, info in members.items()}
        told = None if digest is None else str(_member(archive, digest, np.array("-" * 64)))
        return arrays, told


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, leaf: np.ndarray) -> np.ndarray:
    """Read an array like another one from a member that says to hold no more than a header and its numbers."""
    if info.file_size > NPY_HEADER + leaf.nbytes:
        msg = f"{info.filename} must have {leaf.nbytes} bytes after its header, got {info.file_size} in all"
        raise ValueError(msg)
    member = io.BytesIO(archive.read(info))
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, _, dtype = read(member)
    except MemoryError as error:  # of Python's parser, for a few letters: not what was written
        raise ValueError(str(error)) from None
    name = info.filename.removesuffix(".npy")
    _same_form(name, leaf, shape, dtype.newbyteorder("<") if dtype.byteorder in "=|<" else dtype)
    member.seek(0)
    array = npy.read_array(member, allow_pickle=False)
    if member.read(1):
        msg = f"{name} must have {leaf.nbytes} bytes, got more"
        raise ValueError(msg)
    return array.astype(leaf.dtype.newbyteorder("="), copy=False)


def _same_names(wanted: Wanted, got: set[str]) -> None:
    if set(wanted) != got:
        missing, extra = sorted(set(wanted) - got), sorted(got - set(wanted))
        msg = f"it lacks {missing} and has {extra} too"
        raise OtherContents(msg)


def _same_form(name: str, leaf: np.ndarray, shape: tuple[int, ...], dtype: object) -> None:
    if shape != leaf.shape or dtype != leaf.dtype.newbyteorder("<"):
        msg = f"{name} must be {leaf.dtype} {leaf.shape}, got {dtype} {shape}"
        raise OtherContents(msg)


class Format(NamedTuple):
    """What makes the bytes of a file of some arrays, and what reads the wanted ones, and the digest if there is one."""

    pack: Callable[[Mapping[str, Array]], bytes]
    unpack: Callable[[IO[bytes], Wanted], tuple[dict[str, Array], str | None]]


FORMATS = {
    ".safetensors": Format(to_safetensors, from_safetensors),
    ".npz": Format(to_npz, from_npz),
}
