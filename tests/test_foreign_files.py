"""Files and folders as people have them: links, permissions, odd names, full disks, writers at once, damage.

The references are the record itself, and the bytes of memory that Python counts.
"""

import json
import os
import random
import subprocess
import sys
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


@formats
@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_others_read_no_more_while_a_file_is_written(suffix, tmp_path, monkeypatch):
    """The unfinished file has the permissions of the one that it will replace, or fewer."""
    path, seen, flush = tmp_path / f"own{suffix}", [], os.fsync

    def looked(number):
        seen.append(os.fstat(number).st_mode & 0o777)
        return flush(number)

    bptt.save(path, SMALL)
    monkeypatch.setattr(os, "fsync", looked)
    for mode in (0o600, 0o640, 0o400):
        path.chmod(mode)
        bptt.save(path, SMALL)
        assert path.stat().st_mode & 0o777 == mode
    assert len(seen) == 3
    assert not any(mode & ~final for mode, final in zip(seen, (0o600, 0o640, 0o400), strict=True))


@formats
@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_a_loop_of_links_is_refused_and_stays(suffix, tmp_path):
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(OSError, match="path must lead to a file, got a loop of links"):
        bptt.save(one, SMALL)
    assert one.is_symlink()
    assert two.is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


@formats
@pytest.mark.parametrize("length", [237, 255])
def test_names_as_long_as_a_folder_takes_are_saved(suffix, length, tmp_path):
    path = tmp_path / ("n" * (length - len(suffix)) + suffix)
    try:
        path.touch()
    except OSError:
        pytest.skip("this system takes no name as long, or no path")
    bptt.save(path, SMALL)
    assert bits(bptt.load(path, like=SMALL)) == bits(SMALL)
    assert list(tmp_path.iterdir()) == [path]


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


@formats
def test_random_flips_of_bits_are_refused_or_harmless(suffix, tmp_path):
    """Five hundred files, each with one to eight bits changed, of the parameters of a net."""
    net = bptt.initialize(bptt.Stack([bptt.LSTM(), bptt.GRU()]), (2, 4, 3, 1), 0)
    path, dice, refused = tmp_path / f"net{suffix}", random.Random(15), 0
    bptt.save(path, net)
    whole, want = path.read_bytes(), bits(net)
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            found = bptt.load(path, like=net)
        except ValueError:
            refused += 1
        else:
            assert bits(found) == want
    assert refused > 450


WRITER = """if True:
    import sys, numpy as np, bptt
    for k in range(40):
        bptt.save(sys.argv[1], np.full((60, 50), float(sys.argv[2])))
"""


@formats
def test_two_writers_at_once_leave_a_whole_file(suffix, tmp_path):
    """A reader meanwhile sees the contents of the one or of the other."""
    path, like = tmp_path / f"both{suffix}", np.zeros((60, 50))
    bptt.save(path, like)
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, number]) for number in ("1", "2")]
    seen = {0.0}
    while any(writer.poll() is None for writer in writers):
        found = bptt.load(path, like)
        assert (found == found[0, 0]).all()
        seen.add(float(found[0, 0]))
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {0.0, 1.0, 2.0}
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


FULL = """if True:
    import resource, sys, numpy as np, bptt
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        bptt.save(sys.argv[1], np.ones((200, 50)))
    except OSError:
        sys.exit(7)
"""


@formats
@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
@pytest.mark.parametrize("room", [0, 1, 100, 4096, 79_000])
def test_where_a_write_ends_half_way_the_old_file_stays(room, suffix, tmp_path):
    """No room after so many bytes, by a limit of the system, as on a full disk."""
    path = tmp_path / f"kept{suffix}"
    bptt.save(path, SMALL)
    done = subprocess.run([sys.executable, "-c", FULL, str(path), str(room)], check=False)
    assert done.returncode == 7
    assert bits(bptt.load(path, like=SMALL)) == bits(SMALL)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["w", "bptt.sha256"])
def test_a_header_without_end_is_refused_before_it_is_read(name, tmp_path):
    """A header of 100 MB, in a file of 100 kB."""
    path = tmp_path / "a.npz"
    bptt.save(path, SMALL)
    with zipfile.ZipFile(path) as archive:
        whole = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in whole.items():
            with archive.open(member, "w", force_zip64=True) as file:
                if member == f"{name}.npy":
                    file.write(b"\x93NUMPY\x02\x00" + (10**8).to_bytes(4, "little"))
                    for _ in range(100):
                        file.write(b" " * 10**6)
                else:
                    file.write(data)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"^a\.npz must be a whole file, got a damaged one"):
        bptt.load(path, like=SMALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@formats
def test_a_whole_file_for_which_memory_is_short_is_not_called_damaged(suffix, tmp_path):
    path = tmp_path / f"large{suffix}"
    code = (
        "import os, resource, sys, numpy as np, bptt\n"
        "record = (np.ones(3 * 10**6),)\n"
        "bptt.save(sys.argv[1], record)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * os.sysconf('SC_PAGE_SIZE')\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 8 * 10**6,) * 2)\n"
        "try:\n    bptt.load(sys.argv[1], record)\n"
        "except MemoryError:\n    print('no memory')\n"
    )
    if not os.path.exists("/proc/self/statm"):  # noqa: PTH110
        pytest.skip("this system does not say there how much memory a process has")
    done = subprocess.run(
        [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
    )
    assert done.stdout == "no memory\n"


@formats
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_a_pipe_is_refused_and_not_waited_for(suffix, tmp_path):
    """To open it would be to wait until another program writes to it."""
    pipe = tmp_path / f"pipe{suffix}"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="path must lead to a file, got a pipe"):
        bptt.load(pipe, SMALL)
    with pytest.raises(OSError, match="path must lead to a file, got a pipe"):
        bptt.save(pipe, SMALL)
    assert pipe.is_fifo()


@formats
@pytest.mark.skipif(os.devnull != "/dev/null", reason="devices of POSIX")
def test_a_device_is_refused_since_it_may_have_no_end(suffix, tmp_path):
    (tmp_path / f"link{suffix}").symlink_to(os.devnull)
    with pytest.raises(OSError, match="path must lead to a file, got a pipe or a device"):
        bptt.load(tmp_path / f"link{suffix}", SMALL)


def test_a_file_may_say_that_it_has_no_metadata(tmp_path):
    """The safetensors package reads it."""
    entry = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
    header = json.dumps({"__metadata__": None, "a": entry}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + np.ones(1).tobytes())
    with pytest.warns(UserWarning, match="has no digest"):
        assert bptt.load(path, {"a": np.zeros(1)}) == {"a": 1}


def test_an_array_header_that_python_cannot_parse_is_damage(tmp_path, monkeypatch):
    """Some versions of Python say that they have no memory for what nests too deep."""
    path = tmp_path / "a.npz"
    bptt.save(path, SMALL)

    def nested(*_):
        msg = "Parser stack overflowed"
        raise MemoryError(msg)

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", nested)
    with pytest.raises(ValueError, match="must be a whole file, got a damaged one: Parser stack"):
        bptt.load(path, SMALL)
