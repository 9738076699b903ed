"""Snapshots: a run that was killed, at any moment, ends with the bits of one that was not.

The truth is the run that nobody killed.
"""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bptt

LIKE = bptt.Affine(np.zeros((2, 3)), np.zeros(3, np.float32))


def full(step):
    return bptt.tree_map(lambda leaf: np.full_like(leaf, step), LIKE)


def files(folder):
    return sorted(int(path.stem.removeprefix("step-")) for path in folder.glob("step-*"))


def damage(path):
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def killed(*_, **__):
    raise KeyboardInterrupt


def test_no_snapshot_is_the_beginning(tmp_path, monkeypatch):
    assert bptt.load_snapshot(tmp_path / "no such folder", LIKE) is None
    (tmp_path / "notes.txt").touch()
    with monkeypatch.context() as patch:  # a writer that is killed leaves its unfinished file
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            bptt.save_snapshot(tmp_path, 3, full(3))
    assert len(list(tmp_path.iterdir())) == 2
    assert bptt.load_snapshot(tmp_path, LIKE) is None
    bptt.save_snapshot(tmp_path, 4, full(4))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "step-0000000004.safetensors",
    ]


@pytest.mark.parametrize("keep", [1, 2, 3, 99])
def test_the_newest_is_loaded_and_the_oldest_let_go(keep, tmp_path):
    for step in (1, 9, 10, 11, 10**11):  # by number, not by name
        bptt.save_snapshot(tmp_path / "a" / "b", step, full(step), keep=keep)
        found = bptt.load_snapshot(str(tmp_path / "a" / "b"), LIKE)
        assert (found.step, found.refused) == (step, ())
        assert type(found.record) is bptt.Affine
        assert (found.record.w == step).all()
        assert found.record.b.dtype == np.float32
    assert files(tmp_path / "a" / "b") == [1, 9, 10, 11, 10**11][-keep:]


def test_a_damaged_one_is_refused_and_the_one_before_it_loads(tmp_path):
    for step in (5, 6):
        bptt.save_snapshot(tmp_path, step, full(step))
    damage(tmp_path / "step-0000000006.safetensors")
    with pytest.warns(UserWarning, match=r"step 5 is used: step-0000000006\.safetensors must have"):
        found = bptt.load_snapshot(tmp_path, LIKE)
    assert found.step == 5
    assert (found.record.w == 5).all()
    (reason,) = found.refused
    assert reason.startswith("step-0000000006.safetensors must have the contents it was saved with")


def make_folder(path):
    path.mkdir()


def make_dangling_link(path):
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize("make", [make_folder, make_dangling_link])
def test_one_that_cannot_be_read_is_refused_and_the_one_before_it_loads(make, tmp_path):
    bptt.save_snapshot(tmp_path, 1, full(1))
    make(tmp_path / "step-0000000002.safetensors")
    with pytest.warns(UserWarning, match=r"step 1 is used: .*step-0000000002\.safetensors"):
        assert bptt.load_snapshot(tmp_path, LIKE).step == 1
    bptt.save_snapshot(tmp_path, 3, full(3), keep=1)  # what cannot be removed stays
    assert bptt.load_snapshot(tmp_path, LIKE).step == 3


def test_a_disk_that_fails_is_no_damage_of_the_file(tmp_path, monkeypatch):
    bptt.save_snapshot(tmp_path, 1, full(1))
    bptt.save_snapshot(tmp_path, 2, full(2))
    real = Path.open

    def bad_sector(path, *arguments):
        if path.name.endswith("2.safetensors"):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path, *arguments)

    monkeypatch.setattr(Path, "open", bad_sector)
    with pytest.warns(UserWarning, match=r"step 1 is used: .*Input/output error"):
        assert bptt.load_snapshot(tmp_path, LIKE).step == 1


def test_a_folder_that_is_none_is_an_error_and_not_a_new_beginning(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        bptt.load_snapshot(tmp_path / "file", LIKE)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        bptt.load_snapshot(tmp_path / "link", LIKE)


def test_a_run_that_went_back_writes_over_what_was_damaged(tmp_path):
    for step in (5, 6):
        bptt.save_snapshot(tmp_path, step, full(step))
    damage(tmp_path / "step-0000000006.safetensors")
    bptt.save_snapshot(tmp_path, 6, full(6))
    assert bptt.load_snapshot(tmp_path, LIKE).step == 6
    bptt.save_snapshot(tmp_path, 4, full(4), keep=1)  # those of later steps are not touched
    assert files(tmp_path) == [4, 5, 6]


@pytest.mark.parametrize("number", ["00000000000004", "٠٠٠٠٠٠٠٠٠٥"])
def test_a_file_that_is_numbered_otherwise_counts_for_none(number, tmp_path):
    """With more zeros, or in other digits, it would stand in the place of one to keep, or of one that is not there."""
    (tmp_path / f"step-{number}.safetensors").write_bytes(b"")
    for step in (3, 4, 5):
        bptt.save_snapshot(tmp_path, step, full(step))
    assert {4, 5} == {
        step for step in range(9) if (tmp_path / f"step-{step:010}.safetensors").exists()
    }
    (tmp_path / "step-0000000005.safetensors").unlink()
    assert bptt.load_snapshot(tmp_path, LIKE).refused == ()


def test_all_damaged_is_an_error_and_not_a_new_beginning(tmp_path):
    for step in (5, 6):
        bptt.save_snapshot(tmp_path, step, full(step))
        damage(tmp_path / f"step-{step:010}.safetensors")
    with pytest.raises(ValueError, match=r"got 2 refused: step-0000000006.*; step-0000000005"):
        bptt.load_snapshot(tmp_path, LIKE)


def test_a_snapshot_of_another_net_is_refused(tmp_path):
    bptt.save_snapshot(tmp_path, 1, full(1))
    with pytest.raises(
        ValueError, match=r"step-0000000001\.safetensors must hold .*: w must be float64 \(4,"
    ):
        bptt.load_snapshot(tmp_path, LIKE._replace(w=np.zeros((4, 4))))


@pytest.mark.parametrize(
    ("step", "keep", "record", "kind", "message"),
    [
        (0, 2, LIKE, ValueError, "step must be >= 1, got 0"),
        (1.0, 2, LIKE, TypeError, "step must be an integer, got float"),
        (2, 0, LIKE, ValueError, "keep must be >= 1, got 0"),
        (2, 1, (3,), TypeError, r"record\[0\] must be an array, or .*, got int"),
        (2, 1, np.array([np.nan]), ValueError, "record must be finite, got nan"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_let_go(
    step, keep, record, kind, message, tmp_path
):
    bptt.save_snapshot(tmp_path, 1, full(1))
    with pytest.raises(kind, match=message):
        bptt.save_snapshot(tmp_path, step, record, keep=keep)
    assert files(tmp_path) == [1]


RUN = """if True:
    import sys, numpy as np, bptt
    folder, steps, asks = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "asks"
    stack = bptt.Stack(cells=(bptt.LSTM(), bptt.GRU()))
    params = bptt.initialize(stack, (1, 5, 4, 1), np.random.default_rng(0))
    rule = bptt.Adam(rate=0.01)
    memory = rule.init(params)
    carried = tuple(tuple(np.zeros((3, n)) for _ in bptt.cells.state_names_of(cell))
                    for cell, n in zip(stack.cells, (5, 4)))
    found = bptt.load_snapshot(folder, (params, memory.mean, memory.square, carried))
    first = 0
    if found is not None:
        first = found.step
        params, mean, square, carried = found.record
        memory = bptt.training.AdamState(first, mean, square)
    print("from", first, flush=True)
    for step in range(first, steps):
        x = np.random.default_rng((7, step)).normal(size=(6, 3, 1))
        trace = bptt.forward(stack, params, x, carried)
        cost = bptt.squared_error(trace.outputs, np.roll(x, 1, axis=0))
        gradient, _ = bptt.clip_by_global_norm(bptt.backward(trace, cost.d_outputs).params, 1.0)
        params, memory = rule.update(params, gradient, memory)
        carried = trace.final
        bptt.save_snapshot(folder, step + 1, (params, memory.mean, memory.square, carried))
        print(step + 1, flush=True)
        asks and sys.stdin.readline()  # so that it cannot outrun the one who kills it
    print("".join(leaf.tobytes().hex() for _, leaf in bptt.tree_leaves(params)))
"""


def start(folder, steps, manner):
    command = [sys.executable, "-c", RUN, str(folder), str(steps), manner]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)


def finish(folder, steps):
    with start(folder, steps, "alone") as run:
        said = run.stdout.read().split("\n")
    assert run.returncode == 0
    return said[0], said[-2]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_run_killed_at_random_steps_ends_with_the_same_bits(tmp_path):
    """Killed three times, the last time with its newest snapshot damaged, too."""
    steps, dice = 40, random.Random(92)
    begun, whole = finish(tmp_path / "whole", steps)
    assert begun == "from 0"
    for _ in range(3):
        with start(tmp_path / "killed", steps, "asks") as run:
            first = int(run.stdout.readline().removeprefix("from "))
            for _ in range(dice.randint(1, 10)):
                run.stdout.readline()
                run.stdin.write("\n")
            time.sleep(dice.uniform(0, 0.01))  # in the middle of a step, or of a write
            os.kill(run.pid, signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL
        newest = files(tmp_path / "killed")[-1]
        assert first < newest < steps
    damage(tmp_path / "killed" / f"step-{newest:010}.safetensors")
    begun, resumed = finish(tmp_path / "killed", steps)
    assert begun == f"from {newest - 1}"
    assert resumed == whole
