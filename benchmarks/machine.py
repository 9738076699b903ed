"""Where and with what a run was measured."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "torch", "jax", "autograd")


def one_core() -> None:
    """Keep this process, and every thread that it will start, on one core: equal for all contenders."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def all_cores() -> None:
    """Give this process all cores again, and as many threads as anyone takes by itself."""
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        del os.environ[name]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def described() -> dict[str, Any]:
    """Name processor, versions, date and commit."""
    import threadpoolctl  # noqa: PLC0415 - it looks at what has been loaded

    blas = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": 1,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "blas": " ".join(
            f"{b['internal_api']} {b['version']} {b.get('architecture', '')}" for b in blas
        ),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def processor() -> str:
    """Name the processor, as far as the system tells."""
    found = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = dict(
            [part.strip() for part in line.split(":", 1)]
            for line in info.read_text(encoding="utf-8").splitlines()
            if ":" in line
        )
        names = (
            lines.get("model name", ""),
            f"family {lines.get('cpu family')}",
            f"model {lines.get('model')}",
        )
        found = ", ".join(names)
    return found


def _commit() -> str:
    call = ["git", "rev-parse", "--short=10", "HEAD"]
    found = subprocess.run(call, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
