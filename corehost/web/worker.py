"""A gunicorn thread worker that slow, silent and lingering clients cannot hold up."""

from __future__ import annotations

import errno
import functools
import selectors
import socket
import sys
import time
from collections import deque
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from corehost.web.worker_threads import Deferred, WorkerThreads

_READ_SECONDS = 30.0
"""How long a client may be silent in the middle of a request, or not read its response."""
_LINGER_SECONDS = 2.0
_MOST_LINGERING = 512
_AT_ONCE = 16
"""How many connections are taken in one turn of the main loop."""
_SIGN_SECONDS = 1.0
"""How often the arbiter is shown that the worker lives."""
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class HostWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """The thread worker of gunicorn 27 with five changes.

    A new connection waits in the poller, not on a thread, until its first bytes come. A closed one lingers there,
    not in the main loop, which gunicorn stops for up to 2 s. Want of descriptors delays a connection, where gunicorn
    ends the worker. A client has 30 s for each piece that it reads or writes. And a request costs less on its
    way to its thread and back.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.method_queue = Deferred()
        self._lingering: deque[tuple[float, socket.socket]] = deque()
        self._paused_until = 0.0
        self._signed = 0.0

    def get_thread_pool(self) -> WorkerThreads:
        """Return what serves requests."""
        return WorkerThreads(self.cfg.threads)

    def enqueue_req(self, conn: Any) -> None:
        """Let a thread serve the next request of a connection."""
        self.tpool.submit(functools.partial(self._serve, conn))

    def notify(self) -> None:
        """Show the arbiter that the worker lives; it looks much more rarely than the main loop turns."""
        now = time.monotonic()
        if now - self._signed >= _SIGN_SECONDS:
            self._signed = now
            super().notify()

    def accept(self, listener: Any) -> None:
        """Take the connections that wait, as many as one turn may take."""
        try:
            for _ in range(_AT_ONCE):
                self._take(listener, *listener.accept())
        except OSError as error:
            self._accept_failed(error)

    def _take(self, listener: Any, client: socket.socket, address: Any) -> None:
        self.nr_conns += 1
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        connection.linger = self._linger
        if _has_spoken(client):
            connection.data_ready = True
            self.enqueue_req(connection)
            return
        connection.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(connection)
        wake = functools.partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, selectors.EVENT_READ, wake)

    def _serve(self, connection: Any) -> None:
        outcome = _Outcome()
        try:
            outcome.is_kept = self.handle(connection)
        except BaseException:  # a thread that ends would be one less for good
            self.log.exception("A request ended its thread.")
        self.method_queue.defer(self._served, connection, outcome)

    def _served(self, connection: Any, outcome: _Outcome) -> None:
        self.tpool.finished()
        self.finish_request(connection, outcome)

    def murder_pending(self) -> None:
        """Close what waited too long; called in every turn of the main loop."""
        super().murder_pending()
        now = time.monotonic()
        while self._lingering and self._lingering[0][0] <= now:
            self._let_go(self._lingering[0][1])
        if self._paused_until and now >= self._paused_until:
            self._paused_until = 0.0
            if self.alive:
                self.set_accept_enabled(True)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or leave them in the backlog; while descriptors are short they stay there."""
        super().set_accept_enabled(enabled and not self._paused_until)

    def _accept_failed(self, error: OSError) -> None:
        if error.errno in _NO_DESCRIPTORS:
            self.log.warning("No descriptors left: new connections wait for a second. Raise 'ulimit -n'.")
            self._paused_until = time.monotonic() + 1.0
            self.set_accept_enabled(False)
        elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
            raise error

    def _linger(self, sock: socket.socket) -> None:
        """Wait in the poller for the client's end, so that a late byte of its does not destroy our response."""
        if len(self._lingering) >= _MOST_LINGERING or not _drained(sock):
            sock.close()
            return
        self._lingering.append((time.monotonic() + _LINGER_SECONDS, sock))
        self.poller.register(sock, selectors.EVENT_READ, self._linger_on)

    def _linger_on(self, sock: socket.socket) -> None:
        if not _drained(sock):
            self._let_go(sock)

    def _let_go(self, sock: socket.socket) -> None:
        self._lingering = deque(item for item in self._lingering if item[1] is not sock)
        self.poller.unregister(sock)
        sock.close()


class _Connection(TConn):  # type: ignore[misc]  # gunicorn ships no types
    linger: Any = None

    def init(self) -> None:
        """Get ready to read a request, from a client that may not keep a thread waiting for ever."""
        super().init()
        self.sock.settimeout(_READ_SECONDS)

    def close(self, graceful: bool = False) -> None:
        """Close at once, or say that no more comes and linger."""
        if not graceful or self.linger is None:
            super().close()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:  # the client has gone already
            super().close()
            return
        self.linger(self.sock)


class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's log without a traceback for a client that is merely slow."""

    def exception(self, msg: str, *args: Any, **options: Any) -> None:
        """Log the exception being handled."""
        if isinstance(sys.exc_info()[1], TimeoutError):
            self.debug("A client was too slow.")
            return
        super().exception(msg, *args, **options)


class _Outcome:
    """What a request came to, in the place of the future that gunicorn would ask."""

    is_kept: Any = False

    def cancelled(self) -> bool:
        """Requests are never called off."""
        return False

    def result(self) -> Any:
        """Return whether the connection is kept."""
        return self.is_kept


def _has_spoken(sock: socket.socket) -> bool:
    """Tell whether something came, the end of the connection included."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:  # whoever reads it finds out
        return True
    return True


def _drained(sock: socket.socket) -> bool:
    """Throw away what the client still sends; false when it has ended the connection."""
    sock.setblocking(False)
    try:
        for _ in range(16):
            if not sock.recv(4_096):
                return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True
