"""The kernel that runs the cells of a page: ``python kernel.py -f CONNECTION_FILE``.

It differs from a reader's own Python in four things, none of which a copied cell needs:

- it refuses to start unless ``bptt`` comes from the folder that the build reads its API pages from;
- a warning that a cell or the library causes is an error, and so is any RuntimeWarning or UserWarning;
- matplotlib draws SVG with the placeholder colors of ``matplotlibrc`` (see ``live/figures.py``);
- a progress bar of tqdm leaves one quiet line, ``training  400/400``, without seconds or rates.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "BPTT_DOCS_PACKAGE"  # the folder that bptt must be imported from


def environment(package: Path) -> dict[str, str]:
    """Return what the kernel's environment needs besides the build's own."""
    return {
        PACKAGE: str(package),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(HERE.parent / "live" / "matplotlibrc"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
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


def main() -> None:
    """Serve one page's cells."""
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE]
    sys.path.insert(0, str(Path(os.environ[PACKAGE]).parent))
    _own_library()
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    config = Config()
    config.InlineBackend.figure_formats = {"svg"}
    config.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
    config.IPKernelApp.log_level = logging.ERROR
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    app = IPKernelApp.instance(config=config)
    app.initialize(sys.argv[1:])
    _strict_warnings()
    app.start()


if __name__ == "__main__":
    main()
