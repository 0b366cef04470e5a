"""Pick the app of a request by its base path, from a table that is swapped at once."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from corehost.contract.errors import BusyError, ConflictError, CorehostError, PluginFaultError
from corehost.contract.stores import Readable, writable
from corehost.messaging.faults import FaultSink
from corehost.web.bulkhead import Bulkhead
from corehost.web.gate import REFUSAL, Wsgi
from corehost.web.paths import first_segment, is_below

HOST_SEGMENTS = frozenset({"api", "bootstrap", "docs", "healthz", "metrics", "readyz", "signin", "signout", "static"})
"""First segments of the paths that are the host's own."""
_DRAIN_SECONDS = 10.0


class Place:
    """One plugin's app in the table, and the requests that are inside of it.

    With *wake*, the plugin sleeps: whoever comes calls that first, and then looks for the place again.
    """

    def __init__(self, plugin_id: str, base_path: str, app: Wsgi, wake: Callable[[], None] | None = None) -> None:
        self.wake = wake
        self.plugin_id = plugin_id
        self.base_path = base_path
        self.app = app
        self.is_cut = False
        self._idle = threading.Condition()
        self._inside = 0
        self._is_closed = False

    def enter(self) -> bool:
        """Count a request in; false when the plugin is already on its way out."""
        with self._idle:
            if self._is_closed:
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        """Count a request out."""
        with self._idle:
            self._inside -= 1
            if not self._inside:
                self._idle.notify_all()

    def drain(self, seconds: float) -> int:
        """Let nobody in any more and wait for those inside; return how many still are after *seconds*."""
        with self._idle:
            self._is_closed = True
            self._idle.wait_for(lambda: not self._inside, seconds)
            self.is_cut = bool(self._inside)
            return self._inside


class Mount:
    """The WSGI callable behind the gate.

    The table maps first segments to the places below them, longest base path first. A change copies it and swaps
    the copy in; a reader looks at the table once, so it sees one generation. *host* serves all that no plugin does,
    and everything until *ready*.
    """

    def __init__(
        self,
        *,
        host: Wsgi,
        bulkhead: Bulkhead,
        faults: FaultSink,
        ready: threading.Event,
        drain_seconds: float = _DRAIN_SECONDS,
    ) -> None:
        self._host = host
        self._bulkhead = bulkhead
        self._faults = faults
        self._ready = ready
        self._drain_seconds = drain_seconds
        self._lock = threading.Lock()
        self._table: dict[str, tuple[Place, ...]] = {}
        self._generation = writable(0)

    @property
    def generation(self) -> Readable[int]:
        """The version of the table; it grows by one a change."""
        return self._generation

    def find(self, path: str) -> Place | None:
        """Return whose app serves *path*, ``None`` for the host's own."""
        for place in self._table.get(first_segment(path), ()):
            if is_below(path, place.base_path):
                return place
        return None

    def places(self) -> list[Place]:
        """Return all places of this generation."""
        return [place for below in self._table.values() for place in below]

    def count(self, plugin_id: str) -> int:
        """Return how many places a plugin has."""
        return sum(place.plugin_id == plugin_id for place in self.places())

    def attach(self, place: Place) -> Callable[[], None]:
        """Put *place* into the table; the undo takes it out and waits until the last request has left."""
        segment = first_segment(place.base_path)
        if segment in HOST_SEGMENTS:
            raise ConflictError(f"{place.base_path!r} belongs to the host. Give {place.plugin_id!r} another base path.")
        with self._lock:
            below = self._table.get(segment, ())
            for other in below:
                if other.base_path == place.base_path and not (other.wake and other.plugin_id == place.plugin_id):
                    raise ConflictError(
                        f"{place.base_path!r} is taken by plugin {other.plugin_id!r}. "
                        f"Give {place.plugin_id!r} another base path."
                    )
            kept = (other for other in below if other.base_path != place.base_path)  # it has slept until now
            self._put(segment, (*kept, place))
        self._turn()
        return lambda: self._detach(segment, place)

    def swap(self, place: Place, app: Wsgi) -> None:
        """Serve *place* by another app from now on; requests inside go on in the old one."""
        place.app = app
        self._turn()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        place = self.find(environ["PATH_INFO"])
        if place is None or not self._ready.is_set():
            return self._host(environ, start_response)
        try:
            leave_bulkhead = self._bulkhead.enter(place.plugin_id)
        except BusyError as error:
            environ[REFUSAL] = error
            return self._host(environ, start_response)
        try:
            awake = self._awake(place, environ["PATH_INFO"])
        except CorehostError as error:
            leave_bulkhead()
            environ[REFUSAL] = error
            return self._host(environ, start_response)
        if awake is None or not awake.enter():  # it was switched off while this request looked or waited
            leave_bulkhead()
            return self._host(environ, start_response)
        return self._serve(awake, leave_bulkhead, environ, start_response)

    def _awake(self, place: Place, path: str) -> Place | None:
        """Return the place that serves *path* once its plugin is loaded; raises what its load raised."""
        if place.wake is None:
            return place
        place.wake()
        found = self.find(path)
        return found if found is not None and found.plugin_id == place.plugin_id and found.wake is None else None

    def _serve(
        self, place: Place, leave_bulkhead: Callable[[], None], environ: dict[str, Any], start: Callable[..., Any]
    ) -> Iterable[bytes]:
        began = time.monotonic()

        def leave() -> None:
            leave_bulkhead()
            place.leave()
            self._faults.took(place.plugin_id, "route", time.monotonic() - began)

        try:
            return _Body(place.app(environ, start), place, leave, self._faults)
        except (SystemExit, KeyboardInterrupt) as error:  # a view that calls sys.exit() must not end the host
            leave()
            self._faults.charge(place.plugin_id, error, where="route")
            text = f"Plugin {place.plugin_id!r} tried to end the process. Ask its author to return a response."
            environ[REFUSAL] = PluginFaultError(text, plugin_id=place.plugin_id)
            return self._host(environ, start)
        except BaseException:
            leave()
            raise

    def _detach(self, segment: str, place: Place) -> None:
        with self._lock:
            below = self._table.get(segment, ())
            if place in below:
                self._put(segment, tuple(other for other in below if other is not place))
        self._turn()
        place.drain(self._drain_seconds)

    def _put(self, segment: str, places: tuple[Place, ...]) -> None:
        table = dict(self._table)
        table[segment] = tuple(sorted(places, key=lambda place: -len(place.base_path)))
        if not places:
            del table[segment]
        self._table = table

    def _turn(self) -> None:
        # Outside of the lock: who follows the generation may well ask for the table.
        self._generation.update(lambda number: number + 1)


class _Body:
    """A response's body; the request is inside of the plugin until it is closed."""

    def __init__(self, body: Iterable[bytes], place: Place, leave: Callable[[], None], faults: FaultSink) -> None:
        self._body = body
        self._chunks: Iterator[bytes] | None = None
        self._place = place
        self._leave = leave
        self._faults = faults
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._place.is_cut:
            raise _broken(f"Plugin {self._place.plugin_id!r} was switched off.")
        try:
            if self._chunks is None:
                self._chunks = iter(self._body)
            return next(self._chunks)
        except StopIteration:
            raise
        except BaseException as error:  # the head is out: all that is left is to charge the plugin and to cut
            self._faults.charge(self._place.plugin_id, error, where="route")
            raise _broken(f"Plugin {self._place.plugin_id!r} failed in the middle of a response.") from error

    def close(self) -> None:
        """Let the body give back what it holds, then count the request out; twice does nothing more."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except Exception as error:  # noqa: BLE001  # a plugin may raise anything, the request has left all the same
            self._faults.charge(self._place.plugin_id, error, where="route")
        finally:
            self._leave()


def _broken(text: str) -> BrokenPipeError:
    """Return the error that servers understand as a cut connection: no end of the body that looks complete."""
    return BrokenPipeError(errno.EPIPE, text)
