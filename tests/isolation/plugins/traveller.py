"""Traveller: uses every door of its context; it must not see a difference wherever it runs."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from corehost import (
    ApiSpec,
    Handler,
    HandlerContext,
    HookspecsSpec,
    Manifest,
    Message,
    MessageSchema,
    MessagesSpec,
    Method,
    MethodContext,
    PluginContext,
    Signal,
    StoresSpec,
    SubscriptionSpec,
    Writable,
    derived,
    hookimpl,
    hookspec,
    writable,
)
from corehost.contract.errors import CorehostError

number: Writable[Any] = writable(1)
double = derived(number, lambda value: value * 2)
contexts: list[PluginContext] = []
heard: list[Any] = []
changed = threading.Condition()


class Hooks:
    @hookspec
    def traveller_guests(self, evening: str) -> list[str]:
        """Name who comes."""
        return []


def hear(message: Message) -> None:
    with changed:
        heard.append([message.type, message.payload])
        changed.notify_all()


def wait_for(count: int) -> list[Any]:
    with changed:
        changed.wait_for(lambda: len(heard) >= count, 5.0)
        found, heard[:] = list(heard), []
    return found


def context() -> PluginContext:
    return contexts[0]


def error_of(work: Callable[[], Any]) -> list[Any]:
    try:
        return ["no error", work()]
    except CorehostError as error:
        return [type(error).__name__, error.text]


def storage() -> Any:
    kept = context().storage
    kept.clear()
    kept.set("a", {"x": [1, None, 2.5]})
    kept.set("b", 2)
    kept.delete("b")
    return [kept.get("a"), kept.get("b"), kept.get("b", "none"), kept.keys()]


def transaction() -> Any:
    kept = context().storage
    kept.set("count", 1)
    with kept.transaction() as inside:
        inside.set("count", inside.get("count") + 1)
        within = kept.get("count")
    try:
        with kept.transaction() as inside:
            inside.set("count", 99)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    return [within, kept.get("count")]


def subscribe() -> Any:
    bus = context().core.messages
    undo = bus.subscribe("free:*", Handler(handle=hear, filter=lambda message: message.payload != 1))
    bus.send("free:a", 1)
    sent = bus.send("free:a", 2, meta={"k": "v"})
    found = wait_for(1)
    undo()
    undo()
    bus.send("free:a", 3)
    return [found, sent.source, sent.meta, [m.payload for m in bus.get_history("free:a", 3)]]


def once() -> Any:
    awaited = context().core.messages.once("free:once")
    context().core.messages.send("free:once", "now")
    return awaited.result(5.0).payload


def once_late() -> Any:
    return error_of(lambda: context().core.messages.once("free:never").result(0.05))


def request() -> Any:
    bus = context().core.messages
    return [bus.request("traveller:ask", {"n": 1}), bus.request_future("traveller:ask", {"n": 2}).result(5.0)]


def state() -> Any:
    shared = context().core.state
    shared.set("travel", 1)
    seen: list[Any] = []
    undo = shared.subscribe("travel", seen.append)
    updated = shared.update("travel", lambda value: value + 1)
    undo()
    return [seen[0], updated, shared.get("travel"), shared.get_store("travel").get(), shared.get("nothing", "d")]


def events() -> Any:
    told = threading.Event()
    got: list[Any] = []

    def take(data: Any) -> None:
        got.append(data)
        told.set()

    undo = context().core.events.on("traveller:left", take)
    context().core.events.emit("traveller:left", {"at": 5})
    told.wait(5.0)
    undo()
    return got


def peers() -> Any:
    plugins = context().core.plugins
    peer = plugins.get("friend")
    assert peer is not None
    assert peer.api is not None
    store = peer.stores["mood"]
    return [
        [
            peer.manifest.name,
            peer.status,
            peer.is_loaded,
            peer.error,
            list(peer.api.methods),
            list(peer.stores),
            store.get(),
        ],
        [plugins.has("friend"), plugins.has("nobody"), plugins.get("nobody")],
        plugins.call("friend", "greet", {"name": "T"}),
        sorted(p.manifest.id for p in plugins.get_all()),
        error_of(lambda: plugins.call("friend", "nothing")),
        error_of(lambda: plugins.call("friend", "greet", 5)),
        error_of(lambda: plugins.call("friend", "fail")),
    ]


def peer_store() -> Any:
    told: list[Any] = []
    arrived = threading.Event()
    peer = context().core.plugins.get("friend")
    assert peer is not None

    def take(value: Any) -> None:
        told.append(value)
        if value == "glad":
            arrived.set()

    undo = peer.stores["mood"].subscribe(take)
    context().core.plugins.call("friend", "cheer")
    arrived.wait(5.0)
    undo()
    return told


def timers() -> Any:
    ticks = threading.Semaphore(0)
    undo = context().every(0.01, ticks.release)
    found = [ticks.acquire(timeout=5.0) for _ in range(3)]
    undo()
    later = threading.Event()
    context().later(0.01, later.set)
    return [found, later.wait(5.0)]


def spawn() -> Any:
    ended = threading.Event()

    def work(signal: Signal) -> None:
        signal.wait(5.0)
        ended.set()

    undo = context().spawn(work)
    undo()
    return ended.is_set()


def settings() -> Any:
    return [dict(context().config), context().config["city"], list(context().absent), context().plugin_id]


def own_hooks() -> Any:
    return [list(pair) for pair in context().hooks.call("traveller_guests", evening="friday")]


def stores() -> Any:
    number.set(5)
    return [number.get(), double.get(), error_of(lambda: number.set("many"))]


def log() -> Any:
    context().logger.info("on the way to %s", "home", stops=3)
    print("printed")  # noqa: T201  # that is what is tried
    return None


def refused() -> Any:
    return [
        error_of(lambda: context().users.current()),
        error_of(lambda: context().http.get("https://example.com")),
        error_of(lambda: context().core.events.emit("friend:left")),
        error_of(lambda: context().core.messages.send("core:x")),
        error_of(lambda: context().core.messages.send("traveller:typed", {"n": "one"})),
        error_of(lambda: context().storage.set("", 1)),
        error_of(lambda: context().core.routes.register(())),
    ]


TRIPS: dict[str, Callable[[], Any]] = {
    function.__name__: function
    for function in (
        storage, transaction, subscribe, once, once_late, request, state, events, peers, peer_store, timers, spawn,
        settings, own_hooks, stores, log, refused,
    )
}  # fmt: skip  # a list of names


async def travel(input: str, context: MethodContext) -> Any:
    await asyncio.sleep(0)
    return await asyncio.get_running_loop().run_in_executor(None, TRIPS[input])


async def ask(message: Message, context: HandlerContext) -> Any:
    await asyncio.sleep(0)
    return {"got": message.payload, "waits": not context.signal.aborted, "user": context.user}


def who(input: Any, context: MethodContext) -> Any:
    return [context.caller_id, context.user, context.signal.aborted]


@hookimpl
def corehost_manifest() -> Manifest:
    from corehost import ConfigProperty, ConfigSchema  # noqa: PLC0415

    asked = ("api:expose", "plugins:communicate", "storage:read", "storage:write")
    schema = ConfigSchema(properties={"city": ConfigProperty(type="string", default="Rome")})
    return Manifest(id="traveller", name="T", version="1.0.0", description="", permissions=asked, config_schema=schema)


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={"travel": Method(handler=travel), "who": Method(handler=who)})


@hookimpl
def corehost_messages() -> MessagesSpec:
    typed = {"type": "object", "properties": {"n": {"type": "integer"}}}
    return MessagesSpec(
        handlers={"ask": Handler(handle=ask)},
        schemas={"typed": MessageSchema(type="traveller:typed", payload=typed)},
        subscriptions=(SubscriptionSpec(type="told:*", handler=Handler(handle=hear)),),
    )


@hookimpl
def corehost_stores() -> StoresSpec:
    return StoresSpec(writable={"number": number}, readable={"double": double}, schemas={"number": {"type": "integer"}})


@hookimpl
def corehost_hookspecs() -> HookspecsSpec:
    return HookspecsSpec(namespace=Hooks, schemas={"traveller_guests": {"type": "array"}})


@hookimpl
def corehost_configure(config: Any) -> None:
    if config["city"] == "Atlantis":
        raise ValueError("there is no such city")


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    contexts.append(context)
