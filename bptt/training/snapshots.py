"""Keep the last states of a training run, so that a run that was killed goes on as if it had not been.

A folder holds one file for each of the last few steps that were kept, written by `bptt.save`: whole or
not at all, with a digest. The newest that is whole is the one to go on from; one that is damaged or cannot
be read is refused, with a warning that names it, and the one before it is taken. What to put into a snapshot is all that the next step reads:
parameters, the update rule's state, carried states of the network. Random numbers are best made anew for
each step, from ``np.random.default_rng((seed, step))``, so that nothing of them needs to be kept.

A snapshot is of a training run. What `bptt.checkpointed_bptt` keeps is states within one gradient.
"""

import contextlib
import os
import re
import warnings
from pathlib import Path
from typing import Generic, NamedTuple

from bptt._core import Tree, validation
from bptt._core.tree import Record, array_record
from bptt.training.storage import load, save

__all__ = ["Snapshot", "load_snapshot", "save_snapshot"]

NAME = re.compile(r"step-([0-9]{10}|[1-9][0-9]{10,})\.safetensors")  # as they are written


@array_record
class Snapshot(NamedTuple, Generic[Record]):
    """What a run goes on from.

    Attributes
    ----------
    step
        How many steps had been done when it was kept.
    record
        What was kept.
    refused
        Why each newer file was not taken, newest first; empty if the newest was whole.
    """

    step: int
    record: Record
    refused: tuple[str, ...]


def save_snapshot(
    folder: str | os.PathLike[str], step: int, record: Tree, *, keep: int = 2
) -> None:
    """Keep the state of a run after a step, and let go of the oldest.

    Parameters
    ----------
    folder
        Where to, one for each run, with one writer at a time; it is made if need be.
    step
        How many steps have been done, 1 or more.
    record
        All that the next step reads: nested tuples, lists or mappings of arrays that `bptt.save` takes.
    keep
        How many snapshots of this and earlier steps stay. With 2, the default, there is one to go back
        to if the newest is damaged on the disk.

    Raises
    ------
    TypeError, ValueError
        If `bptt.save` does not take the record, or a number is not a positive integer.
    OSError
        If the file cannot be written; what was there before stays.

    See Also
    --------
    load_snapshot : the way back.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np, bptt
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for step in (1, 2, 3):
    ...         bptt.save_snapshot(folder, step, np.full(2, float(step)))
    ...     sorted(file.name for file in pathlib.Path(folder).iterdir())
    ['step-0000000002.safetensors', 'step-0000000003.safetensors']
    """
    done, kept = validation.size("step", step), validation.size("keep", keep)
    home = validation.path("folder", folder)
    home.mkdir(parents=True, exist_ok=True)
    save(home / f"step-{done:010}.safetensors", record)
    earlier = [number for number in _steps(home) if number <= done]
    older = [home / f"step-{number:010}.safetensors" for number in earlier[kept:]]
    unfinished = home.glob(".step-*.safetensors.*")  # of a writer that was killed
    for path in (*older, *unfinished):
        with contextlib.suppress(OSError):  # the new one is safe; what cannot be removed may stay
            path.unlink()


def load_snapshot(folder: str | os.PathLike[str], like: Record) -> Snapshot[Record] | None:
    """Find the newest whole snapshot of a run.

    Parameters
    ----------
    folder
        Where `save_snapshot` put them.
    like
        A record of the structure, shapes and dtypes that a snapshot must have; its values do not matter.

    Returns
    -------
    Snapshot or None
        The newest that is whole, with the reasons why newer ones were refused; None if there is no
        snapshot, and the run begins at its beginning.

    Raises
    ------
    TypeError
        If there are snapshots, and `like` is none of the records that `bptt.save` takes.
    ValueError
        If there are snapshots, and none is whole and fits `like`: a run is not begun anew in silence.
    OSError
        If `folder` is not a folder, or cannot be listed.

    Warns
    -----
    UserWarning
        If a newer snapshot was refused.

    See Also
    --------
    save_snapshot : the way there.

    Examples
    --------
    >>> import tempfile, numpy as np, bptt
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     before = bptt.load_snapshot(folder, like=np.zeros(2))
    ...     bptt.save_snapshot(folder, 7, np.ones(2))
    ...     after = bptt.load_snapshot(folder, like=np.zeros(2))
    >>> before is None, after.step, after.record.tolist(), after.refused
    (True, 7, [1.0, 1.0], ())
    """
    home = validation.path("folder", folder)
    refused: list[str] = []
    for number in _steps(home):
        try:
            record = load(home / f"step-{number:010}.safetensors", like)
        except (ValueError, OSError) as error:
            refused.append(str(error))
        else:
            if refused:
                msg = f"the snapshot of step {number} is used: " + "; ".join(refused)
                warnings.warn(msg, stacklevel=2)
            return Snapshot(number, record, tuple(refused))
    if not refused:
        return None
    msg = f"folder must hold a whole snapshot, got {len(refused)} refused: " + "; ".join(refused)
    raise ValueError(msg)


def _steps(home: Path) -> list[int]:
    """Return the steps of which there is a file, newest first."""
    try:
        names = [path.name for path in home.iterdir()]
    except FileNotFoundError:
        if home.is_symlink():  # it leads nowhere, so a run had begun elsewhere
            raise
        return []
    found = map(NAME.fullmatch, names)
    return sorted((int(match[1]) for match in found if match), reverse=True)
