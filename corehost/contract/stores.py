"""Reactive stores with Svelte's contract: ``get``, ``set``, ``update``, ``subscribe``."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from corehost.contract.errors import Fault

T = TypeVar("T")
Unsubscribe = Callable[[], None]
Start = Callable[[Callable[[Any], None]], Callable[[], None] | None]
"""Called with ``set`` when the first subscriber comes; returns what to call when the last has gone."""

_IMMUTABLE = (str, int, float, bool, bytes, type(None))


class Readable(ABC, Generic[T]):
    """A value that can be read and followed.

    Subscribers are called in the thread that sets, with no lock held, never two calls of one subscriber at a
    time, and always end on the latest value; two sets from two threads may reach a subscriber as one call.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._subscriptions: dict[int, _Subscription[T]] = {}
        self._version = 0

    @property
    def version(self) -> int:
        """How often the value has changed."""
        return self.snapshot()[1]

    def get(self) -> T:
        """Return the value."""
        return self.snapshot()[0]

    @abstractmethod
    def snapshot(self) -> tuple[T, int]:
        """Return value and version as they belong together."""

    def subscribe(self, run: Callable[[T], Any]) -> Unsubscribe:
        """Call *run* with the value now and after each change, until the returned function is called."""
        subscription = _Subscription(self, run)
        with self._lock:
            is_first = not self._subscriptions
            self._subscriptions[id(subscription)] = subscription
        if is_first:
            self._wake()
        subscription.deliver()

        def unsubscribe() -> None:
            with self._lock:
                gone = self._subscriptions.pop(id(subscription), None)
                is_last = gone is not None and not self._subscriptions
            subscription.closed = True
            if is_last:
                self._sleep()

        return unsubscribe

    def _wake(self) -> None:
        """Begin to follow what the value comes from; there is a subscriber now."""

    def _sleep(self) -> None:
        """Stop following what the value comes from; the last subscriber has gone."""

    def _notify(self) -> None:
        with self._lock:
            subscriptions = list(self._subscriptions.values())
        errors = [error for subscription in subscriptions if (error := subscription.try_deliver()) is not None]
        if errors:
            raise errors[0]  # after all were told: one failing subscriber must not hide a change from the next


class _Subscription(Generic[T]):
    """One subscriber; delivers each version once, in order, and skips those that a newer one overtook."""

    def __init__(self, store: Readable[T], run: Callable[[T], Any]) -> None:
        self._store = store
        self._run = run
        self._lock = threading.Lock()
        self._delivered = -1
        self._running = False
        self.closed = False

    def try_deliver(self) -> Exception | None:
        try:
            self.deliver()
        except Exception as error:  # noqa: BLE001  # a subscriber may raise anything; the next must still hear
            return error
        return None

    def deliver(self) -> None:
        while (value := self._claim()) is not None:
            try:
                self._run(value[0])
            finally:
                with self._lock:
                    self._running = False

    def _claim(self) -> tuple[T] | None:
        value, version = self._store.snapshot()
        with self._lock:
            # Whoever runs now looks again when it is done, so a newer version is never left behind.
            if self._running or self.closed or version <= self._delivered:
                return None
            self._delivered, self._running = version, True
            return (value,)


class _Source(Readable[T]):
    """A store that holds its value itself."""

    def __init__(self, value: T, start: Start | None = None) -> None:
        super().__init__()
        self._value = value
        self._start = start
        self._stop: Callable[[], None] | None = None
        self._check: Callable[[Any], None] | None = None

    def snapshot(self) -> tuple[T, int]:
        """Return value and version as they belong together."""
        with self._lock:
            return self._value, self._version

    def guard(self, check: Callable[[Any], None] | None) -> None:
        """Let *check* look at every new value and raise; the host binds a store's schema so."""
        self._check = check

    def _set(self, value: T) -> None:
        self._change(lambda _: value)

    def _change(self, change: Callable[[T], T]) -> T:
        with self._lock:
            value = change(self._value)
            if self._check is not None:
                self._check(value)
            if not _differs(self._value, value):
                return value
            self._value = value
            self._version += 1
        self._notify()
        return value

    def _wake(self) -> None:
        if self._start is not None:
            self._stop = self._start(self._set)

    def _sleep(self) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()


class Writable(_Source[T]):
    """A store that its owner, and those who may, can set."""

    def set(self, value: T) -> None:
        """Replace the value; raises ``InvalidError`` if it breaks the store's schema."""
        self._set(value)

    def update(self, change: Callable[[T], T]) -> T:
        """Replace the value by ``change(value)`` in one step and return it; *change* must be quick and pure."""
        return self._change(change)


class _Constant(_Source[T]):
    """A store that only its start function sets."""


class _Derived(Readable[T]):
    """A store computed from others; it pulls, so a diamond of stores never shows half of a change."""

    def __init__(self, stores: Sequence[Readable[Any]], compute: Callable[..., T]) -> None:
        super().__init__()
        self._stores = tuple(stores)
        self._compute = compute
        self._seen: tuple[int, ...] | None = None
        self._value: Any = None
        self._closers: list[Unsubscribe] = []

    def snapshot(self) -> tuple[T, int]:
        """Return value and version as they belong together, computing anew if a source has changed."""
        with self._lock:
            inputs = [store.snapshot() for store in self._stores]
            versions = tuple(version for _, version in inputs)
            if versions != self._seen:
                self._accept(self._compute(*(value for value, _ in inputs)))
                self._seen = versions
            return self._value, self._version

    def _accept(self, value: T) -> None:
        if self._seen is not None and _differs(self._value, value):
            self._version += 1
        self._value = value

    def _wake(self) -> None:
        for store in self._stores:
            self._closers.append(store.subscribe(lambda _: self._notify()))

    def _sleep(self) -> None:
        closers, self._closers = self._closers, []
        for close in closers:
            close()


def writable(value: T, start: Start | None = None) -> Writable[T]:
    """Return a store that holds *value*; *start* is called when the first subscriber comes."""
    return Writable(value, start)


def readable(value: T, start: Start | None = None) -> Readable[T]:
    """Return a store that only *start* can set, through the ``set`` that it is handed."""
    return _Constant(value, start)


def derived(stores: Readable[Any] | Sequence[Readable[Any]], compute: Callable[..., T]) -> Readable[T]:
    """Return a store whose value is ``compute(*values of stores)``; *compute* must be pure."""
    return _Derived([stores] if isinstance(stores, Readable) else stores, compute)


def _differs(old: Any, new: Any) -> bool:
    """Tell whether a change must be told: a mutable value may have changed inside (Svelte's safe_not_equal)."""
    if isinstance(old, _IMMUTABLE) and type(old) is type(new):
        return bool(old != new)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoresSpec:
    """What ``corehost_stores`` returns.

    Others may read all of them and set those in ``writable`` (with ``plugin:<id>:manage``); ``schemas`` gives by
    store name the JSON Schema or marshmallow schema that every value must keep.
    """

    readable: Mapping[str, Readable[Any]] = field(default_factory=dict, metadata={"live": True})
    writable: Mapping[str, Writable[Any]] = field(default_factory=dict, metadata={"live": True})
    schemas: Mapping[str, Any] = field(default_factory=dict)

    def faults(self) -> Iterator[Fault]:
        """Name what is no store, a name used twice, and schemas of stores that do not exist."""
        for kind, stores, wanted in (("readable", self.readable, Readable), ("writable", self.writable, Writable)):
            for name, store in stores.items():
                if not isinstance(store, wanted):
                    yield Fault(path=f"/{kind}/{name}", message=f"Must be a {wanted.__name__} store, not {store!r}.")
        for name in set(self.readable) & set(self.writable):
            yield Fault(path=f"/readable/{name}", message="Is among the writable stores, too.")
        for name in set(self.schemas) - set(self.all()):
            yield Fault(path=f"/schemas/{name}", message=f"There is no store {name!r}.")

    def all(self) -> dict[str, Readable[Any]]:
        """Return every store by its name."""
        return {**self.readable, **self.writable}

    def settable(self) -> dict[str, Writable[Any]]:
        """Return by name those that are set, by others or, as one in ``readable``, by the plugin alone."""
        return {name: store for name, store in self.all().items() if isinstance(store, Writable)}
