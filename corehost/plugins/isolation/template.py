"""The process that workers are forked from: warm, with one thread, and with nothing of the host's in its memory."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final

from corehost.plugins.isolation import memory, sandbox
from corehost.plugins.isolation.frames import pack
from corehost.plugins.isolation.order import Order, order_from_json
from corehost.plugins.isolation.rpc import refusal
from corehost.plugins.isolation.sandbox import Enclosure

MAX_ORDER: Final = 65_536
_STACK: Final = 1 << 20
"""Stack of a worker's threads; Python's default is eight times that, and would count against its memory."""

Work = Callable[[Order, socket.socket, socket.socket], Any]
"""What a worker does, given the socket to the host and the one on which it is asked for pages."""


def serve(control: socket.socket, work: Work) -> None:
    """Fork a worker for each order that comes over *control*, until that ends; say when a worker has ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the host's word is the end of *control*; Ctrl-C is for the host
    sandbox.prepare()
    memory.settle()
    children: dict[int, int] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == control.fileno():
                if not _obey(control, work, children, poll):
                    return
            else:
                _bury(control, children.pop(descriptor), descriptor, poll)


def _obey(control: socket.socket, work: Work, children: dict[int, int], poll: select.poll) -> bool:
    data, descriptors, _, _ = socket.recv_fds(control, MAX_ORDER, 2)
    if not data:
        return False
    parent = os.getpid()
    # What is found out here is shared with the worker; what it found out by itself would cost it memory of its own.
    order = order_from_json(json.loads(data))
    enclosure = _enclosure(order)
    pid = os.fork()
    if pid == 0:
        _live(order, enclosure, descriptors, parent, work)
    for descriptor in descriptors:
        os.close(descriptor)
    if isinstance(enclosure, Enclosure):
        os.close(enclosure.rules)
    handle = os.pidfd_open(pid)
    children[handle] = pid
    poll.register(handle, select.POLLIN)
    socket.send_fds(control, [json.dumps({"pid": pid}).encode()], [handle])
    return True


def _enclosure(order: Order) -> Enclosure | OSError:
    """Return what *order* shall be enclosed in, or why that cannot be, which the worker tells the host."""
    try:
        return sandbox.enclose(order.confinement)
    except OSError as error:
        return error


def _bury(control: socket.socket, pid: int, handle: int, poll: select.poll) -> None:
    poll.unregister(handle)
    os.close(handle)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # the host is ending; the next look at *control* tells
        control.send(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


def _live(order: Order, enclosure: Enclosure | OSError, descriptors: list[int], parent: int, work: Work) -> None:
    """Be a worker to the end of this process."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        sandbox.close_all_but(descriptors if isinstance(enclosure, OSError) else [*descriptors, enclosure.rules])
        line, door = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        threading.stack_size(_STACK)
        try:
            if isinstance(enclosure, OSError):
                raise enclosure
            sandbox.enter(enclosure, parent)
        except OSError as error:
            line.sendall(pack(refusal(f"it could not be confined: {error}")))
            os._exit(1)
        work(order, line, door)
    except BaseException:  # noqa: BLE001  # nothing may return into the template's loop
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(0)
