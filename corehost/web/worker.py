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

_READ_SECONDS = 30.0
"""How long a client may be silent in the middle of a request, or not read its response."""
_LINGER_SECONDS = 2.0
_MOST_LINGERING = 512
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class HostWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """The thread worker of gunicorn 27 with four changes.

    A new connection waits in the poller, not on a thread, until its first bytes come. A closed one lingers there,
    not in the main loop, which gunicorn stops for up to 2 s. Want of descriptors delays a connection, where gunicorn
    ends the worker. And a client has 30 s for each piece that it reads or writes.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lingering: deque[tuple[float, socket.socket]] = deque()
        self._paused_until = 0.0

    def accept(self, listener: Any) -> None:
        """Take a connection and wait for its first bytes in the poller."""
        try:
            client, address = listener.accept()
        except OSError as error:
            self._accept_failed(error)
            return
        self.nr_conns += 1
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        connection.linger = self._linger
        connection.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(connection)
        wake = functools.partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, selectors.EVENT_READ, wake)

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
