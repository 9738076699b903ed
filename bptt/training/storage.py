"""Save and load records of arrays, in open formats, so that nothing is lost half-way.

A file is written beside its destination, flushed to the disk, and then put in its place in one move: a
reader sees the old file or the new one, never a part. It carries a digest of its contents; a file that
was damaged, or that holds something else than is asked for, is refused. Names, shapes and sizes are
compared with what is asked for before an array is read, so that no file can ask for more memory than its
record has. (A writer that is killed may leave its unfinished file behind, under a name that begins with a
dot.)

The suffix says the format: ``.safetensors``, which most frameworks read, or NumPy's ``.npz``. No
pickled object is ever read.
"""

import errno
import os
import secrets
import stat
import warnings
from pathlib import Path

from bptt._core import Array, Tree, validation
from bptt._core.tree import Record, refilled, tree_leaves
from bptt.training.file_formats import CODES, DIGEST, FORMATS, Format, OtherContents, digest_of

__all__ = ["load", "save"]

RESERVED = ("", DIGEST, "__metadata__")  # the formats themselves put the last two beside the arrays


def save(path: str | os.PathLike[str], record: Tree) -> None:
    """Save a record of arrays, whole or not at all.

    Parameters
    ----------
    path
        Where to: a file name that ends in ``.safetensors`` or ``.npz``. If it is a symbolic link, the
        file that it leads to is replaced. A file that is replaced hands its permissions on.
    record
        Nested tuples, lists or mappings of float32, float64 or int64 arrays: parameters, a gradient, the state of a network
        or of an update rule.

    Raises
    ------
    TypeError
        If a leaf is not an array of these dtypes, or `path` is no path.
    ValueError
        If the suffix is another, an entry is not finite, or an array has a name that files do not take.
    OSError
        If the file cannot be written, or is a symbolic link that leads to itself; what was there before
        stays.

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
    target = validation.path("path", path)
    form = _format(target)
    arrays = {
        name: leaf.astype(leaf.dtype.newbyteorder("="), order="C")
        for name, leaf in _leaves("record", record).items()
    }
    for leaf in tree_leaves(record, "record"):
        validation.finite(*leaf)
    for name in arrays:
        kept = name.encode(errors="ignore")[: 2**15].decode(errors="ignore")  # a ZIP: below 2**16
        if name in RESERVED or "\0" in name or kept != name:
            msg = f"record must not have an array called {name!r:.60}: files have no such names, or other uses for them"
            raise ValueError(msg)
    replace_file(target, form.pack(arrays))


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
    TypeError
        If `path` is no path, or `like` is not a record of arrays that `save` takes.
    ValueError
        If the suffix is another, or the file is damaged, or does not hold what `like` asks for.

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
    source = validation.path("path", path)
    form = _format(source)
    wanted = _leaves("like", like)
    _refuse_endless(source)
    with source.open("rb") as file:
        try:
            arrays, digest = form.unpack(file, wanted)
        except OtherContents as error:
            msg = f"{source.name} must hold the arrays of like: {error}"
            raise ValueError(msg) from None
        except MemoryError:  # what is read has the size of `like`
            raise
        except Exception as error:  # whatever the readers of JSON, ZIP and NPY raise
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
    elif digest != digest_of(arrays):
        msg = f"{source.name} must have the contents it was saved with, got others: it is damaged"
        raise ValueError(msg)
    return refilled(like, (arrays[name] for name in wanted))


def _leaves(name: str, record: Tree) -> dict[str, Array]:
    """Return the arrays of a record by the names that they have in a file."""
    found = {}
    for full, leaf in tree_leaves(record, name):
        if leaf.dtype.newbyteorder("<") not in CODES.values():
            msg = f"{full} must have dtype float32, float64 or int64, got {leaf.dtype}"
            raise TypeError(msg)
        found["array" if full == name else full.removeprefix(name).removeprefix(".")] = leaf
    return found


def _format(path: Path) -> Format:
    if path.suffix not in FORMATS:
        msg = f"path must end in {' or '.join(FORMATS)}, got {path.name}"
        raise ValueError(msg)
    return FORMATS[path.suffix]


def _refuse_endless(path: Path) -> None:
    """Refuse what is there and is neither file nor folder: a pipe would be waited for, a device may have no end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        msg = "path must lead to a file, got a pipe or a device"
        raise OSError(errno.ESPIPE, msg, str(path))


def replace_file(target: Path, data: bytes) -> None:
    """Write beside the target, flush to the disk, and put it in its place in one move."""
    place = Path(os.path.realpath(target))
    if place.is_symlink():
        raise OSError(errno.ELOOP, "path must lead to a file, got a loop of links", str(target))
    _refuse_endless(place)
    # Of a long name the beginning will do: 40 letters, of four bytes each at most.
    beside = place.with_name(f".{place.name[:40]}.{secrets.token_hex(8)}")
    mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else None

    def opened(path: str, flags: int) -> int:
        """Open with the final permissions: from the first byte on, others read no more than after the last."""
        return os.open(path, flags, 0o666 if mode is None else mode)

    try:
        with open(beside, "xb", opener=opened) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            beside.chmod(mode)  # whatever the umask says
        beside.replace(place)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
