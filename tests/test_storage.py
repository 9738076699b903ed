"""Files: what was saved comes back bit for bit, whole or not at all, and damage is refused.

The truths are the record itself, the `safetensors` package, and NumPy's own reader.
"""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from nets import CELLS

import bptt

SUFFIXES = (".npz", ".safetensors")
SMALL = bptt.Affine(np.array([[1.5], [-2.0]]), np.array([0.25], np.float32))
STACK = bptt.Stack((*CELLS.values(), bptt.Bidirectional(bptt.LSTM(), bptt.GRU())))

formats = pytest.mark.parametrize("suffix", SUFFIXES)


def draw(dtype=np.float64):
    sizes = (2, *(2 for _ in STACK.cells), 1)
    return bptt.initialize(STACK, sizes, np.random.default_rng(90), dtype)


def bits(record):
    return [(n, leaf.dtype, leaf.shape, leaf.tobytes()) for n, leaf in bptt.tree_leaves(record)]


def states():
    """Yield records of all kinds: parameters of every cell, update rules' states, arrays without axes."""
    params = draw()
    yield params
    yield draw(np.float32)
    rule = bptt.Adam()
    yield rule.update(params, params, rule.init(params))[1]
    yield np.arange(6.0).reshape(2, 3)
    yield [np.array(3.0), (np.zeros((0, 2)), np.array([1e-308, -0.0]))]
    yield ()
    yield SMALL


@formats
@pytest.mark.parametrize("index", range(7))
def test_round_trip_bit_for_bit(suffix, index, tmp_path):
    record = list(states())[index]
    bptt.save(tmp_path / f"record{suffix}", record)
    like = bptt.tree_map(np.zeros_like, record)
    again = bptt.load(str(tmp_path / f"record{suffix}"), like)
    assert bits(again) == bits(record)
    assert type(again) is type(record)
    assert all(leaf.flags.writeable for _, leaf in bptt.tree_leaves(again))


@formats
def test_any_layout_in_memory_is_saved(suffix, tmp_path):
    array = np.arange(24.0).reshape(4, 6)
    for view in (array.T, array[::2, ::-3], np.asfortranarray(array), array.astype(">f8")):
        bptt.save(tmp_path / f"view{suffix}", view)
        assert (bptt.load(tmp_path / f"view{suffix}", like=view.astype(float)) == view).all()


def test_the_safetensors_package_reads_what_we_write(tmp_path):
    path, params = tmp_path / "params.safetensors", draw()
    bptt.save(path, params)
    theirs = safetensors.numpy.load_file(path)
    ours = dict(bptt.tree_leaves(params))
    assert theirs.keys() == ours.keys()
    for name, array in theirs.items():
        assert (array.dtype, array.tobytes()) == (ours[name].dtype, ours[name].tobytes())
    with safetensors.safe_open(path, "numpy") as file:
        assert list(file.metadata()) == ["bptt.sha256"]
    header = int.from_bytes(path.read_bytes()[:8], "little")
    assert header % 8 == 0


def test_numpy_reads_what_we_write(tmp_path):
    path, params = tmp_path / "params.npz", draw()
    bptt.save(path, params)
    with np.load(path, allow_pickle=False) as theirs:
        for name, leaf in bptt.tree_leaves(params):
            assert theirs[name].tobytes() == leaf.tobytes()


def test_files_of_other_programs_are_loaded_with_a_warning(tmp_path):
    """Files of the safetensors package and of NumPy have no digest: loaded, and the reader is told."""
    metadata = {"format": "np"}
    safetensors.numpy.save_file(SMALL._asdict(), tmp_path / "a.safetensors")
    safetensors.numpy.save_file(SMALL._asdict(), tmp_path / "b.safetensors", metadata)
    foreign = {"model_hash": "0f" * 32, "other.sha2_": "ab" * 32}  # digests of another tool's own
    safetensors.numpy.save_file(SMALL._asdict(), tmp_path / "c.safetensors", foreign)
    np.savez(tmp_path / "a.npz", **SMALL._asdict())
    np.savez_compressed(tmp_path / "b.npz", w=np.asfortranarray(SMALL.w), b=SMALL.b)
    for name in ("a.safetensors", "b.safetensors", "c.safetensors", "a.npz", "b.npz"):
        with pytest.warns(
            UserWarning, match=f"{name} has no digest, since bptt.save did not write"
        ):
            again = bptt.load(tmp_path / name, like=SMALL)
        assert bits(again) == bits(SMALL)


@formats
def test_every_byte_counts(suffix, tmp_path):
    """One byte changed, each in turn, in two or three ways: refused, or the contents are what they were."""
    path = tmp_path / f"small{suffix}"
    bptt.save(path, SMALL)
    whole, want = path.read_bytes(), bits(SMALL)
    refused = 0
    for i in range(len(whole)):
        for change in (0x01, 0xFF) if suffix == ".npz" else (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:i] + bytes([whole[i] ^ change]) + whole[i + 1 :])
            try:
                again = bptt.load(path, like=SMALL)
            except ValueError as error:
                assert str(error).startswith(("small", "array")), error  # noqa: PT017
                refused += 1
            else:
                assert bits(again) == want
    assert refused > len(whole)


@formats
def test_every_cut_counts(suffix, tmp_path):
    """A file cut short anywhere is refused; so is an empty one."""
    path = tmp_path / f"small{suffix}"
    bptt.save(path, SMALL)
    whole = path.read_bytes()
    for length in range(0, len(whole), 1 if suffix == ".safetensors" else 3):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"^small\.\w+ must "):
            bptt.load(path, like=SMALL)


@formats
def test_swapped_contents_are_refused(suffix, tmp_path):
    """Two files of the same shapes: the data of one under the header of the other."""
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    bptt.save(one, np.zeros(3))
    bptt.save(two, np.ones(3))
    data = one.read_bytes().replace(np.zeros(3).tobytes(), np.ones(3).tobytes())
    assert data != one.read_bytes()
    one.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        bptt.load(one, like=np.zeros(3))


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{}",
        b"3",
        b'{"__metadata__": 3}',
        b'{"__metadata__": {"bptt.sha256": 3}, "w": 3}',
        b'{"__metadata__": {"bptt.sha256": "0"}, "w": {"dtype": "F64"}}',
        b'{"__metadata__": {"bptt.sha256": "0"}, "w": {"dtype": "I8", "shape": [1], "data_offsets": [0, 8]}}',
        b'{"__metadata__": {"bptt.sha256": "0"}, "w": {"dtype": "F64", "shape": [9], "data_offsets": [0, 8]}}',
        b'{"__metadata__": {"bptt.sha256": "0"}, "w": {"dtype": "F64", "shape": "x", "data_offsets": [0, 8]}}',
        b'{"__metadata__": {"bptt.sha256": "0"}, "w": {"dtype": "F64", "shape": [1], "data_offsets": [0.5, 8]}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_headers_of_any_kind_are_refused(header, tmp_path):
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ValueError, match=r"odd\.safetensors must "):
        bptt.load(path, like=SMALL)


def test_places_in_a_file_are_whole_numbers(tmp_path):
    """All else in the file is as it was written: 0.0 is not 0."""
    path = tmp_path / "odd.safetensors"
    bptt.save(path, SMALL)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    for entry in (entry for name, entry in header.items() if name != "__metadata__"):
        entry["data_offsets"] = list(map(float, entry["data_offsets"]))
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
    with pytest.raises(ValueError, match=r"must be at the bytes that end at \d+, got \[0\.0, "):
        bptt.load(path, like=SMALL)


@formats
def test_no_object_is_unpickled(suffix, tmp_path):
    path = tmp_path / f"objects{suffix}"
    with path.open("wb") as file:
        np.savez(file, w=np.array([SMALL], object), b=SMALL.b)
    with pytest.raises(ValueError, match=r"must (be a whole file|hold .*: w must be float64)"):
        bptt.load(path, like=SMALL)


@formats
@pytest.mark.parametrize(
    ("like", "message"),
    [
        (SMALL._replace(w=np.zeros((3, 1))), r"small\.\w+ must hold .*: w must be float64 \(3, 1\), got float64"),
        (SMALL._replace(w=np.zeros((2, 1), np.float32)), r"w must be float32 .*, got float64"),
        ((SMALL.w,), r"small\.\w+ must hold the arrays of like: it lacks \['\[0\]'\] and has \['b', 'w'"),
        ((SMALL, SMALL), "it lacks"),
        (SMALL.w, r"it lacks \['array'\]"),
    ],
)  # fmt: skip
def test_what_does_not_match_is_refused(suffix, like, message, tmp_path):
    path = tmp_path / f"small{suffix}"
    bptt.save(path, SMALL)
    with pytest.raises(ValueError, match=message):
        bptt.load(path, like=like)


@formats
@pytest.mark.parametrize(
    ("record", "kind", "message"),
    [
        ((np.ones(2), np.ones(3, bool)), TypeError, r"record\[1\] must have dtype .*, got bool"),
        (np.ones(2, complex), TypeError, "record must have dtype float32, float64 or int64, got complex"),
        (np.ones(2, np.int32), TypeError, "record must have dtype float32, float64 or int64, got int32"),
        (np.ma.masked_array([1.0], [True]), TypeError, "record must be a plain NumPy array, got numpy.ma"),
        ((1.0,), TypeError, r"record\[0\] must be an array, or a tuple, list or mapping of arrays, got float"),
        (np.array([1, np.nan]), ValueError, r"record must be finite, got nan at index \(1,\)"),
        (np.array(["a"]), TypeError, "record must have dtype .*, got <U1"),
        *(({key: np.ones(1)}, ValueError, "must not have an array called") for key in ("__metadata__", "a\0b", "bptt.sha256", "", "\ud800", "a" * 70_000)),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_leaves_the_file_alone(suffix, record, kind, message, tmp_path):
    path = tmp_path / f"kept{suffix}"
    bptt.save(path, SMALL)
    with pytest.raises(kind, match=message):
        bptt.save(path, record)
    assert bits(bptt.load(path, like=SMALL)) == bits(SMALL)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@formats
def test_keys_that_begin_with_a_dot_or_name_what_has_no_name_lose_no_array(suffix, tmp_path):
    record = {".a": np.ones(2), "a": np.zeros(2), "..a": np.full(2, 3.0), "array": np.full(2, 4.0)}
    path = tmp_path / f"dots{suffix}"
    bptt.save(path, record)
    assert bits(bptt.load(path, like=record)) == bits(record)


@formats
def test_paths_that_lead_nowhere(suffix, tmp_path):
    with pytest.raises(FileNotFoundError):
        bptt.load(tmp_path / f"none{suffix}", like=SMALL)
    with pytest.raises(FileNotFoundError):
        bptt.save(tmp_path / "no folder" / f"a{suffix}", SMALL)
    folder = tmp_path / f"folder{suffix}"
    (folder / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        bptt.load(folder, like=SMALL)
    with pytest.raises(OSError, match="directory"):
        bptt.save(folder, SMALL)
    assert [one.name for one in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["a.pt", "a", "a.NPZ", "npz"])
def test_other_suffixes_are_refused(name, tmp_path):
    message = r"path must end in \.safetensors or \.npz, got " + name
    with pytest.raises(ValueError, match=message):
        bptt.save(tmp_path / name, SMALL)
    with pytest.raises(ValueError, match=message):
        bptt.load(tmp_path / name, like=SMALL)


@formats
def test_a_write_that_fails_leaves_what_was_there(suffix, tmp_path, monkeypatch):
    """The disk is full: the old file stays, and no other is left."""
    path = tmp_path / f"kept{suffix}"
    bptt.save(path, SMALL)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        bptt.save(path, draw())
    monkeypatch.undo()
    assert bits(bptt.load(path, like=SMALL)) == bits(SMALL)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_file_may_be_read_by_whom_the_umask_says(tmp_path):
    """As a file that `open` makes: a temporary one would be its owner's alone."""
    bptt.save(tmp_path / "a.npz", SMALL)
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


WRITER = """if True:
    import sys, numpy as np, bptt
    for k in range(1_000_000):
        bptt.save(sys.argv[1], np.full((200, 500), float(k)))
        print(k, flush=True)
"""


@formats
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_writer_that_is_killed_leaves_a_whole_file(suffix, tmp_path):
    """Killed at any moment, in the middle of a write too: the old contents or the new."""
    path, dice = tmp_path / f"big{suffix}", random.Random(91)
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            writer.stdout.readline()  # it has written once
            time.sleep(dice.uniform(0, 0.03))
            os.kill(writer.pid, signal.SIGKILL)
            said = [0, *map(int, writer.stdout.read().split())][-1]
        found = bptt.load(path, like=np.zeros((200, 500)))
        assert (found == found[0, 0]).all()
        assert found[0, 0] in {said, said + 1}  # the last one that it told of, or the next


def test_the_digest_is_of_names_shapes_and_contents(tmp_path):
    """A header that renames or reshapes an array, with the same data, is refused."""
    path = tmp_path / "two.safetensors"
    bptt.save(path, (np.zeros((2, 3)), np.ones(6)))
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["[0]"]["shape"] = [3, 2]
    text = json.dumps(header, separators=(",", ":")).encode().ljust(size)
    path.write_bytes(data[:8] + text + data[8 + size :])
    with pytest.raises(ValueError, match="damaged"):
        bptt.load(path, like=(np.zeros((3, 2)), np.ones(6)))


@pytest.mark.parametrize("length", [0, 1, 17, 2**40])
def test_a_header_that_cannot_be_is_refused_by_its_length(length, tmp_path):
    """The message says where it would end: nothing of it is read."""
    path = tmp_path / "odd.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b"{}" + bytes(14))
    message = f"its header ends at byte {8 + length} of 24"
    with pytest.raises(ValueError, match=message):
        bptt.load(path, like=SMALL)


@pytest.mark.parametrize("more", [b"x", bytes(8)])
def test_bytes_behind_the_numbers_of_a_member_are_refused(more, tmp_path):
    """A .npz file whose archive is whole, and whose array has more bytes than its shape says."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    path = tmp_path / "long.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("array.npy", buffer.getvalue() + more)
    with pytest.raises(ValueError, match=r"array must have 24 bytes, got more"):
        bptt.load(path, like=np.zeros(3))
