"""The host's end of the template: has workers forked, and knows when they end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from corehost.contract.errors import LateError, PluginFaultError
from corehost.plugins.isolation.order import Order
from corehost.plugins.isolation.template import MAX_ORDER

_SECONDS: Final = 20.0
"""How long a new template may take to import what workers need, and to fork the first."""
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import main; main(int(sys.argv[2]))"
)


class Child:
    """A process that was forked for us; the handle stays that process's even when its number is another's."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid = pid
        self._handle = handle
        self.ended: Future[int] = Future()
        self._lock = threading.Lock()

    def kill(self) -> None:
        """End it at once, if it still runs."""
        with self._lock, contextlib.suppress(OSError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def bury(self, code: int) -> None:
        """Note that it has ended."""
        with self._lock:
            os.close(self._handle)
            self._handle = -1
        self.ended.set_result(code)


class Spawner:
    """Starts the template at the first order, and anew if it has ended. *module* holds the ``main`` that it runs.

    The template is a program of its own (``exec``), not a fork of the host: a threaded process must not be forked,
    and the host's memory is none of a worker's business. It is given an empty environment.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._template: _Template | None = None

    def spawn(self, order: Order, line: socket.socket, door: socket.socket) -> Child:
        """Have a worker forked that holds these two sockets; raises ``PluginFaultError`` and ``LateError``."""
        with self._lock:
            if self._template is None or self._template.has_ended:
                self._template = _Template(self._module)
            return self._template.spawn(order, line, door)

    def close(self) -> None:
        """End the template and, with it, every worker."""
        with self._lock:
            template, self._template = self._template, None
        if template is not None:
            template.close()


class _Template:
    def __init__(self, module: str) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._children: dict[int, Child] = {}
        self._born: Future[Child] | None = None
        self._lock = threading.Lock()
        self.has_ended = False
        with theirs:
            found = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own code
                [sys.executable, "-c", _START.format(module=module), found, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal is for the host
            )
        threading.Thread(target=self._listen, name="corehost-template", daemon=True).start()

    def spawn(self, order: Order, line: socket.socket, door: socket.socket) -> Child:
        born: Future[Child] = Future()
        self._born = born
        data = json.dumps(order.to_json()).encode()
        try:
            socket.send_fds(self._control, [data], [line.fileno(), door.fileno()])
            return born.result(_SECONDS)
        except TimeoutError:
            self.close()
            raise LateError(f"The template made no worker within {_SECONDS:g} s.") from None
        except OSError as error:
            raise PluginFaultError(f"The template of workers has ended: {error}.") from error

    def close(self) -> None:
        self.has_ended = True
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        while True:
            try:
                data, handles, _, _ = socket.recv_fds(self._control, MAX_ORDER, 1)
            except OSError:
                data, handles = b"", []
            if not data:
                break
            self._hear(json.loads(data), handles)
        self.has_ended = True
        self._control.close()
        if self._born is not None and not self._born.done():
            self._born.set_exception(PluginFaultError("The template of workers has ended."))
        for child in list(self._children.values()):  # they end with it: the kernel sees to that
            child.bury(-signal.SIGKILL)
        self._process.wait()

    def _hear(self, told: dict[str, Any], handles: list[int]) -> None:
        if "ended" in told:
            self._children.pop(told["ended"]).bury(told["code"])
            return
        child = self._children[told["pid"]] = Child(told["pid"], handles[0])
        assert self._born is not None  # one order at a time
        self._born.set_result(child)
