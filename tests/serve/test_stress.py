"""Eight threads change plugins and ask others at once, and nobody but the changed notices."""

from __future__ import annotations

import itertools
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from corehost.plugins import leaks
from tests.serve.conftest import Serving
from tests.serve.kit import Answer, Browser, Served, until
from tests.tiers import Scale, Tell

pytestmark = pytest.mark.suite("Stress of a host")
SECONDS = 60
LEAST = 3
"""How often each change is made, however long that takes."""
KINDS = ("enable", "disable", "reload", "upgrade", "page", "method", "message")
THREADS = 8
POOLED = re.compile(r"(request|relay-call|corehost-call|corehost-lane)-\d+")
"""The host's own threads that come and go with what is to be done at once; each kind has a limit of its own."""
SETTLE = 10.0
"""Seconds within which the connections of the last requests are gone."""
HANG = 120.0
CHANGED = ("turncoat", "clock")
REFUSED = frozenset({409})
"""What a change may be answered beside success: another was quicker."""
CODE = """
from corehost import *

level = writable(0)

@hookimpl
def corehost_manifest():
    permissions = ("api:expose", "plugins:communicate", "routes:register", "storage:read", "storage:write")
    return Manifest(id="turncoat", name="Turncoat", version={version!r}, description="", permissions=permissions)

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"version": Method(handler=lambda input, context: {version!r})}})

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/turncoat", routes=(Route(path="/", view=lambda: "<h1>{version}</h1>"),))

@hookimpl
def corehost_messages():
    heard = SubscriptionSpec(type="work:*", handler=Handler(handle=lambda message: level.set(level.get() + 1)))
    return MessagesSpec(handlers={{"ask": Handler(handle=lambda message: {version!r})}}, subscriptions=(heard,))

@hookimpl
def corehost_stores():
    return StoresSpec(writable={{"level": level}}, schemas={{"level": {{"type": "integer"}}}})

@hookimpl
def corehost_setup(context):
    context.storage.set("set up by", {version!r})
    context.every(0.05, lambda: context.core.messages.send("turncoat:tick", level.get()))
    context.spawn(lambda signal: signal.wait())
"""


class Stress:
    """What the threads do, how often, and what went wrong."""

    def __init__(self, host: Served, sources: tuple[Path, Path], seed: str) -> None:
        self.host = host
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.is_over = threading.Event()
        self._sources = itertools.cycle(reversed(sources))
        self._seed = seed
        self._lock = threading.Lock()

    def count(self, what: str, answer: Answer, *fine: int) -> None:
        """Write down what was done, and any answer but those that are *fine*."""
        with self._lock:
            self.counts[what] += answer.status in (200, 202)
            if answer.status not in fine:
                self.failures.append(f"{what}: {answer.status} {answer.text[:300]}")

    def together(self, working: list[Callable[[], None]], *, seconds: float, least: int) -> float:
        """Do all of *working* at once, for so many seconds and so often at least; return how long it was."""
        began = time.monotonic()
        self.is_over.clear()
        wanted = {kind: self.counts[kind] + least for kind in KINDS}

        def may_end() -> bool:
            is_enough = all(self.counts[kind] >= number for kind, number in wanted.items())
            return self.is_over.is_set() or (time.monotonic() >= began + seconds and is_enough)

        with ThreadPoolExecutor(len(working)) as pool:
            running = [pool.submit(self._repeat, work) for work in working]
            until(may_end, f"each kind {least} times: {self.counts}", seconds=seconds + HANG)
            self.is_over.set()
            for one in running:
                one.result(HANG)
        return time.monotonic() - began

    def _repeat(self, work: Callable[[], None]) -> None:
        try:
            while not self.is_over.is_set():
                work()
        except BaseException as error:  # noqa: BLE001  # whatever it is belongs into the report, and ends the rest
            self.failures.append(repr(error))
            self.is_over.set()

    # --- what is done to plugins ---

    def switcher(self, number: int) -> Callable[[], None]:
        """Return what enables, disables or reloads one of the changed plugins, by chance."""
        dice = random.Random(f"{self._seed} {number}")
        changes = {"enable": ("enabled", ""), "disable": ("disabled", ""), "reload": ("enabled", "?reload=1")}

        def switch() -> None:
            plugin, what = dice.choice(CHANGED), dice.choice([*changes])
            status, query = changes[what]
            answer = self.host.request("PUT", f"/api/plugins/{plugin}/status{query}", {"status": status}, timeout=HANG)
            self.count(what, answer, 200, 202, *REFUSED)

        return switch

    def upgrade(self) -> None:
        """Change the installed plugin over to its other version, and wait for the end of that."""
        body = {"source": str(next(self._sources)), "force": True}
        answer = self.host.request("PUT", "/api/plugins/turncoat/version", body, timeout=HANG)
        assert self.end_of(answer) == "done"
        self.count("upgrade", answer, 202)

    def end_of(self, answer: Answer) -> str:
        """Wait for the end of the job that *answer* tells of; return its state, and the reason if it failed."""
        assert answer.status == 202, answer.text
        job = answer.json()["id"]
        ended: Answer = until(lambda: self._ended(job), "the end of a job", seconds=HANG)
        return "done" if ended.json()["state"] == "done" else ended.text

    def _ended(self, job: str) -> Answer | None:
        answer = self.host.get(f"/api/jobs/{job}")
        return None if answer.json().get("state") == "running" else answer

    # --- what is asked of others ---

    def page(self) -> None:
        """Look at pages of others."""
        for path in ("/bystander", "/dashboard"):
            self.count("page", self.host.get(path), 200)

    def call(self) -> None:
        """Call a method of another."""
        answer = self.host.request("POST", "/api/plugins/bystander/echo", {"a": 1})
        self.count("method", answer, 200)

    def converse(self, browser: Browser) -> Callable[[], None]:
        """Return what sends messages on one socket, and sees that each comes back, once, in order."""
        browser.call("bus.subscribe", type="work:*")
        numbers = itertools.count()

        def converse() -> None:
            number = next(numbers)
            assert "message" in browser.call("bus.send", type="work:number", payload=number)
            assert browser.call("bus.request", type="bystander:ping", payload=number) == {"response": {"pong": number}}
            assert browser.message("work:number")["payload"] == number
            self.counts["message"] += 1

        return converse


def at_rest(host: Served) -> Counter[str]:
    """Switch the changed plugins off, and count what the host holds, by its name, when nothing is left to do.

    Of threads that come and go with the requests there is nothing, and of a database one, as each of those has its own
    connections to it.
    """
    for plugin in CHANGED:
        assert host.switch(plugin, "disabled").status == 200
    until(lambda: host.get("/api/jobs").json()["items"][-1]["state"] != "running", "the last job ended")
    held = Counter(name for name in host.call("bystander", "threads") if not POOLED.fullmatch(name))
    for process in (psutil.Process(host.process.pid), *psutil.Process(host.process.pid).children(recursive=True)):
        targets = Counter(kind_of(link) for link in Path(f"/proc/{process.pid}/fd").iterdir())
        held += Counter({target: 1 if ".db" in target else number for target, number in targets.items()})
    return held


def kind_of(link: Path) -> str:
    """Return what a descriptor is open on: a file's path, or ``socket``, ``pipe``, …."""
    try:
        return str(link.readlink()).partition(":[")[0]
    except FileNotFoundError:  # closed since it was listed
        return "gone"


def counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[kind]} of {kind}" for kind in KINDS)


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    folders = (tmp_path / "1" / "turncoat", tmp_path / "2" / "turncoat")
    for folder, version in zip(folders, ("1.0.0", "2.0.0"), strict=True):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(CODE.format(version=version))
    return folders


def test_eight_threads_change_plugins_and_no_other_notices(
    serving: Serving, sources: tuple[Path, Path], seed: str, scale: Scale, tell: Tell
) -> None:
    # A crowded machine makes everything slow; nobody shall be held back for that.
    host = serving("clock", "bystander", flags=("--leaks", "--upgrade-trial", "0.1", "--budget", "slow=off"))
    stress = Stress(host, sources, seed)
    assert stress.end_of(host.request("POST", "/api/plugins", {"source": str(sources[0])})) == "done"
    with host.browser() as browser:
        working = [stress.switcher(number) for number in range(3)]
        working += [stress.upgrade, stress.page, stress.page, stress.call, stress.converse(browser)]
        assert len(working) == THREADS
        stress.together(working, seconds=0, least=1)  # as many threads and connections as that takes are there then
        before = at_rest(host)
        took = stress.together(working, seconds=scale(SECONDS, least=5), least=LEAST)

        assert stress.failures == []
        assert browser.call("ping") is not None
        assert host.get("/readyz").status == 200
        until(lambda: host.call("bystander", "count") == stress.counts["message"], "all messages heard")

    threading.Event().wait(leaks.SECONDS + 1)  # that is when it is looked for what the last unloads left
    assert "\n".join(line for line in host.log if "left behind" in line) == ""
    end = time.monotonic() + SETTLE
    while (more := at_rest(host) - before) and time.monotonic() < end:
        threading.Event().wait(0.1)
    assert more == Counter(), "what is held beside what was held before"
    assert "\n".join(host.tracebacks()) == ""
    tell(f"{THREADS} threads for {took:.0f} s: {counted(stress.counts)}; none failed, nothing was left")
