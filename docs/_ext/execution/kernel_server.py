"""Start kernels from a process that has imported what nearly every page needs: ``python kernel_server.py SOCKET``.

A kernel that is started by itself spends more time on imports than most pages on their cells. The server imports
once and forks a kernel for each launcher (``kernel.py``) that connects. A launcher lives as long as its connection,
which ends with the kernel; told to end, it ends the kernel. No kernel outlives the server.
"""

from __future__ import annotations

import json
import os
import socketserver
import sys

import kernel


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Answers each launcher in a process of its own, however many there are; told to end, it waits for none."""

    request_queue_size, max_children, block_on_close = 64, 1000, False


class Kernel(socketserver.StreamRequestHandler):
    """The kernel that a launcher asks for, with a folder and arguments; it is told the process."""

    def handle(self) -> None:
        """Be the kernel."""
        folder, arguments = json.loads(self.rfile.readline())
        self.wfile.write(f"{os.getpid()}\n".encode())
        # The connection is to end with the kernel, not with a process that a cell starts.
        os.register_at_fork(after_in_child=self.connection.close)
        os.register_at_fork(after_in_child=self.rfile.close)
        os.chdir(folder)
        kernel.start(arguments)


def main() -> None:
    """Import, then serve."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel ends when its parent has
    kernel.find_library()
    kernel.preload()
    with Server(sys.argv[1], Kernel) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
