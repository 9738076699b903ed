"""Files and folders as people have them: links, permissions, odd names, headers that ask for memory.

The references are the record itself, and the bytes of memory that Python counts.
"""

import json
import os
import tracemalloc
import zipfile
from typing import NamedTuple

import numpy as np
import pytest

import bptt

SUFFIXES = (".npz", ".safetensors")
SMALL = bptt.Affine(np.array([[1.5], [-2.0]]), np.array([0.25], np.float32))

formats = pytest.mark.parametrize("suffix", SUFFIXES)


def bits(record):
    return [(n, leaf.dtype, leaf.shape, leaf.tobytes()) for n, leaf in bptt.tree_leaves(record)]


@formats
@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_links_are_followed_and_permissions_kept(suffix, tmp_path):
    """Saving through a link replaces the file behind it, with the permissions that it had."""
    behind, link = tmp_path / "folder" / f"behind{suffix}", tmp_path / f"link{suffix}"
    behind.parent.mkdir()
    link.symlink_to(behind)
    bptt.save(link, SMALL)
    behind.chmod(0o640)
    bptt.save(link, SMALL._replace(b=np.zeros(1, np.float32)))
    assert link.is_symlink()
    assert behind.stat().st_mode & 0o777 == 0o640
    assert bptt.load(behind, like=SMALL).b == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", link.name]


class Odd(NamedTuple):
    """Fields that are called like arguments of NumPy's own functions."""

    file: np.ndarray
    allow_pickle: np.ndarray
    array: np.ndarray
    args: np.ndarray
    kwds: np.ndarray


@formats
def test_any_name_of_a_field_is_saved(suffix, tmp_path):
    """Names of NumPy's own arguments too."""
    record = Odd(*(np.full(2, float(k)) for k in range(5)))
    bptt.save(tmp_path / f"odd{suffix}", record)
    assert bits(bptt.load(tmp_path / f"odd{suffix}", like=record)) == bits(record)


def test_little_memory_is_asked_for_whatever_a_file_says(tmp_path):
    """Small files whose arrays are, or claim to be, large: refused before memory is asked for."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("w.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(
                member, {"descr": "<f8", "fortran_order": False, "shape": (2, 1)}
            )
            for _ in range(100):
                member.write(bytes(2**20))
        archive.writestr("b.npy", b"no array")
    entry = {"dtype": "F64", "shape": [2, 1], "data_offsets": [0, 2**40]}
    shared = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    for name, header in {
        "a": {"w": entry, "b": shared},
        "b": {"w": entry | {"data_offsets": [0, 16]}, "b": shared},
        "c": {"w": entry | {"shape": [2**30, 2**30]}, "b": shared},
    }.items():
        text = json.dumps(header).encode()
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(20))
    long = tmp_path / "d.safetensors"
    with long.open("wb") as file:
        file.write((2**40).to_bytes(8, "little"))
        file.truncate(2**41)  # a sparse file, larger than memory
    tracemalloc.start()
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ValueError, match=f"{path.name} must "):
            bptt.load(path, like=SMALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
