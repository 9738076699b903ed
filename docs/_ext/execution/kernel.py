"""The kernel that runs the cells of a page.

It differs from a reader's own Python in four things, none of which a copied cell needs:

- it refuses to start unless ``bptt`` comes from the folder that the build reads its API pages from, and asserts run;
- a warning that a cell or the library causes is an error, and so is any RuntimeWarning or UserWarning;
- matplotlib draws SVG with the placeholder colors of ``matplotlibrc`` (see ``live/figures.py``);
- a progress bar of tqdm leaves one quiet line, ``training  400/400``, without seconds or rates.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1]
PACKAGE = "BPTT_DOCS_PACKAGE"  # the folder that bptt must be imported from
FORKED = "forkserver" in multiprocessing.get_all_start_methods()  # imports take longer than cells
PROCESSES = multiprocessing.get_context("forkserver" if FORKED else "spawn")


def import_before(*modules: str) -> None:
    """Say what kernels find imported when they are forked: not the inline backend, which configures itself for one."""
    if FORKED:
        PROCESSES.set_forkserver_preload(["ipykernel.kernelapp", *modules])


def environment(package: Path) -> dict[str, str]:
    """Return what the kernel's environment needs besides the build's own."""
    return {
        PACKAGE: str(package),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(HERE.parent / "live" / "matplotlibrc"),
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(DOCS / "_build" / "ipython"),  # what the author's runs first is not there
        **dict.fromkeys(("PYTHONOPTIMIZE", "PYTHONSTARTUP"), ""),
        **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")},
        "TQDM_BAR_FORMAT": "{desc}  {n_fmt}/{total_fmt}",
        "TQDM_MININTERVAL": "60",
        "TQDM_MAXINTERVAL": "60",
    }


def _find_library() -> None:
    """Let ``bptt`` be imported from where it must, and nothing of what builds the site."""
    if not __debug__:
        raise SystemExit("cells would not assert: PYTHONOPTIMIZE is set")
    wanted = Path(os.environ[PACKAGE])
    sys.path[:] = [p for p in sys.path if Path(p).resolve() != DOCS]
    sys.path.insert(0, str(wanted.parent))
    import bptt  # noqa: PLC0415 - not before the path is set

    found = Path(bptt.__file__).resolve().parent
    if found != wanted:
        raise SystemExit(f"cells would import bptt from {found}, but the build documents {wanted}")


def _strict_warnings() -> None:
    warnings.simplefilter("error")
    for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.filterwarnings("ignore", category=quiet)  # third parties among themselves
        if quiet in (DeprecationWarning, PendingDeprecationWarning):
            warnings.filterwarnings("error", category=quiet, module=r"(__main__|bptt)(\..*)?$")


def _end_with_parent() -> None:
    """End when the build has; what forked this process does not tell, for it waits for its last child."""
    if build := multiprocessing.parent_process():
        build.join()
        os._exit(1)


def serve(folder: str, started: Connection) -> None:
    """Serve one page's cells in a folder; send how to connect."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    multiprocessing.set_start_method(None, force=True)  # of what cells start: Python's own
    os.chdir(folder)
    sys.modules["debugpy"] = None  # type: ignore[assignment] # no debugger: a third of a start
    _find_library()
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    config = Config()
    config.InlineBackend.figure_formats = {"svg"}
    config.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
    config.IPKernelApp.log_level = logging.CRITICAL  # or it prints how to connect
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    app = IPKernelApp.instance(config=config)
    app.initialize([])
    app.log_level = logging.ERROR
    app.cleanup_connection_file()
    if "matplotlib.pyplot" in sys.modules:  # imported before there was a shell to configure it for
        app.shell.enable_matplotlib("inline")
    _strict_warnings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    started.send(app.get_connection_info())
    app.start()
