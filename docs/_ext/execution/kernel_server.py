"""Start kernels from a process that has imported what nearly every page needs: ``python kernel_server.py SOCKET``.

A kernel that is started by itself spends more time on imports than most pages on their cells. The server imports
once and forks a kernel for each launcher (``kernel.py``) that connects. A launcher and its kernel live as long as each
other: the server ends the kernel whose launcher is gone, and lets go of the launcher whose kernel has ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys

import kernel


def serve(listener: socket.socket) -> None:
    """Fork a kernel for each launcher that connects, until this process is told to end."""
    kernels: dict[socket.socket, int] = {}
    try:
        while True:
            ready, _, _ = select.select([listener, *kernels], [], [], 0.1)
            for connection in ready:
                if connection is listener:
                    launcher, _ = listener.accept()
                    kernels[launcher] = fork(launcher, [listener, launcher, *kernels])
                else:  # its launcher is gone
                    os.kill(kernels[connection], signal.SIGKILL)
            ended = {pid for pid in kernels.values() if os.waitpid(pid, os.WNOHANG)[0]}
            for connection in [c for c, pid in kernels.items() if pid in ended]:
                del kernels[connection]
                connection.close()
    finally:
        for pid in kernels.values():
            os.kill(pid, signal.SIGKILL)


def fork(launcher: socket.socket, sockets: list[socket.socket]) -> int:
    """Start a kernel in the folder and with the arguments that a launcher sends; return its process.

    The kernel closes its copies of all sockets, or launchers would not see that the server has closed theirs.
    """
    with launcher.makefile() as lines:
        folder, arguments = json.loads(lines.readline())
    if pid := os.fork():
        return pid
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for each in sockets:
        each.close()
    os.chdir(folder)
    kernel.start(arguments)
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Import, then serve."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel ends when its parent has
    kernel.find_library()
    kernel.preload()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        serve(listener)


if __name__ == "__main__":
    main()
