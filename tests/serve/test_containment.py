"""A plugin that misbehaves harms itself only.

The bound in seconds is far above what is usual and half of what a view or handler here sleeps: it is there to catch a
hang, not to measure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.serve.conftest import Serving
from tests.serve.kit import Served, until

USUAL = 5.0


@contextmanager
def at_the_usual_pace(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < USUAL, f"{what} took {took:.2f} s"


def require_undisturbed(host: Served) -> None:
    with at_the_usual_pace("the page of another plugin"):
        assert host.get("/bystander").status == 200
    with at_the_usual_pace("the method of another plugin"):
        assert host.call("bystander", "echo", "a") == "a"
    with at_the_usual_pace("/healthz"):
        assert host.get("/healthz").status == 200


def send(host: Served, type: str, payload: object = None) -> None:
    assert host.request("POST", "/api/plugins/messages", {"type": type, "payload": payload}).status == 202


def test_a_handler_that_raises_does_not_keep_the_message_from_others(serving: Serving) -> None:
    host = serving("rogue", "bystander")

    for number in range(20):
        send(host, "work:raise", number)

    until(lambda: host.call("bystander", "count") == 20, "all heard")
    require_undisturbed(host)
    assert host.status("rogue") == "enabled"


def test_a_handler_that_sleeps_leaves_others_at_their_pace(serving: Serving) -> None:
    host = serving("rogue", "bystander")
    send(host, "work:doze")

    with host.browser() as browser, at_the_usual_pace("the handlers of another plugin"):
        for number in range(20):
            send(host, "work:other", number)
            answer = browser.call("bus.request", type="bystander:ping", payload=number)
            assert answer == {"response": {"pong": number}}
        until(lambda: host.call("bystander", "count") == 21, "all heard")
    require_undisturbed(host)
    host.kill()  # its handler would be waited for


def test_a_handler_that_floods_leaves_others_at_their_pace(serving: Serving) -> None:
    host = serving("rogue", "bystander")
    host.call("rogue", "flood")

    with host.browser() as browser:
        browser.call("bus.subscribe", type="work:*")
        number = 0
        while not host.call("rogue", "flooded"):
            with at_the_usual_pace("a message beside the flood"):
                send(host, "work:other", number)
                assert browser.message("work:other")["payload"] == number
            require_undisturbed(host)
            number += 1
    until(lambda: host.call("bystander", "count") == number, "all heard")


def test_a_page_that_raises_shows_the_shell_and_no_traceback(serving: Serving) -> None:
    host = serving("rogue", "bystander")

    answer = host.get("/rogue/raise", headers={"Accept": "text/html"})

    assert answer.status == 502
    assert "core-ui" in answer.text
    assert "Traceback" not in answer.text
    require_undisturbed(host)
    assert host.tracebacks() == []


def test_fifty_requests_to_a_sleeping_view_leave_the_rest_at_their_pace_on_four_threads(serving: Serving) -> None:
    host = serving("rogue", "bystander", flags=("--threads", "4"))
    sent = threading.Barrier(51)

    def doze() -> int:
        sent.wait()
        try:
            return host.get("/rogue/doze", timeout=60).status
        except OSError:  # the host was killed
            return 0

    with ThreadPoolExecutor(50) as pool:
        dozing = [pool.submit(doze) for _ in range(50)]
        sent.wait()
        until(lambda: any(one.done() for one in dozing), "the first of them turned away")
        for _ in range(10):
            require_undisturbed(host)
        assert not all(one.done() for one in dozing)
        host.kill()
    statuses = {one.result() for one in dozing}
    assert 503 in statuses
    assert statuses <= {0, 503}
