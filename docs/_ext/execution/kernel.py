"""The kernel that runs the cells of a page: ``python kernel.py -f CONNECTION_FILE``.

It differs from a reader's own Python in four things, none of which a copied cell needs:

- it refuses to start unless ``bptt`` comes from the folder that the build reads its API pages from;
- a warning that a cell or the library causes is an error, and so is any RuntimeWarning or UserWarning;
- matplotlib draws SVG with the placeholder colors of ``matplotlibrc`` (see ``live/figures.py``);
- a progress bar of tqdm leaves one quiet line, ``training  400/400``, without seconds or rates.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import socket
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "BPTT_DOCS_PACKAGE"  # the folder that bptt must be imported from
SERVER = "BPTT_DOCS_KERNELS"  # the socket of kernel_server.py, where there is one


def environment(package: Path) -> dict[str, str]:
    """Return what the kernel's environment needs besides the build's own."""
    return {
        PACKAGE: str(package),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(HERE.parent / "live" / "matplotlibrc"),
        "PYTHONHASHSEED": "0",
        **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
        "TQDM_BAR_FORMAT": "{desc}  {n_fmt}/{total_fmt}",
        "TQDM_MININTERVAL": "60",
        "TQDM_MAXINTERVAL": "60",
    }


def _own_library() -> None:
    import bptt  # noqa: PLC0415 - not before the path is set

    found, wanted = Path(bptt.__file__).resolve().parent, Path(os.environ[PACKAGE])
    if found != wanted:
        message = f"cells would import bptt from {found}, but the build documents {wanted}"
        raise SystemExit(message)


def _strict_warnings() -> None:
    warnings.simplefilter("error")
    for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.filterwarnings("ignore", category=quiet)  # third parties among themselves
        if quiet in (DeprecationWarning, PendingDeprecationWarning):
            warnings.filterwarnings("error", category=quiet, module=r"(__main__|bptt)(\..*)?$")


def find_library() -> None:
    """Let ``bptt`` be imported from where it must, and nothing from this folder."""
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE]
    sys.path.insert(0, str(Path(os.environ[PACKAGE]).parent))
    _own_library()


def preload() -> None:
    """Import what nearly every page needs, but not the inline backend, which configures itself for its kernel."""
    for name in ("ipykernel.kernelapp", "matplotlib.pyplot"):
        importlib.import_module(name)


def start(arguments: list[str]) -> None:
    """Serve one page's cells."""
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    config = Config()
    config.InlineBackend.figure_formats = {"svg"}
    config.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
    config.IPKernelApp.log_level = logging.ERROR
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    app = IPKernelApp.instance(config=config)
    app.initialize(arguments)
    app.shell.enable_matplotlib("inline")  # where it was imported before there was a shell
    _strict_warnings()
    app.start()


def main() -> None:
    """Have a kernel forked and wait for its end; where no server is, be the kernel."""
    address = os.environ.get(SERVER, "")
    if not Path(address).is_socket():
        find_library()
        start(sys.argv[1:])
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the kernel is told to end by a message
    with socket.socket(socket.AF_UNIX) as server, server.makefile() as answers:
        server.connect(address)
        server.sendall(f"{json.dumps([str(Path.cwd()), sys.argv[1:]])}\n".encode())
        process = int(answers.readline())
        signal.signal(signal.SIGTERM, lambda *_: os.kill(process, signal.SIGKILL))
        answers.readline()  # nothing comes; the connection ends with the kernel


if __name__ == "__main__":
    main()
