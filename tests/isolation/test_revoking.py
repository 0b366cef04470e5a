"""What is taken away from an isolated plugin is refused from its next call on, in the process that runs already."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from corehost.contract.errors import NotAllowedError, PermissionDeniedError
from corehost.plugins.isolation.runner import IsolationOptions
from tests.plugins.workshop import ADMIN, Workshop
from tests.serve.kit import until

PERMISSIONS = ("api:expose", "plugins:communicate", "storage:read", "storage:write", "network:fetch")
USES = {"storage": "storage:write", "bus": "plugins:communicate", "network": "network:fetch"}
BODY = """
import itertools, os, time

held, did = [], []

@hookimpl
def corehost_setup(context):
    held.append(context)

USES = {
    "storage": lambda input: held[0].storage.set("last", input["number"]),
    "bus": lambda input: held[0].core.messages.send("courier:sent", {"number": input["number"]}),
    "network": lambda input: held[0].http.get(input["url"]),
}

def once(input, context):
    USES[input["use"]]({**input, "number": 0})
    return os.getpid()

def on_and_on(input, context):
    did.clear()
    end = time.monotonic() + 25
    for number in itertools.count(1):
        assert time.monotonic() < end, "it was never refused"
        try:
            USES[input["use"]]({**input, "number": number})
        except PermissionDeniedError as error:
            return {"process": os.getpid(), "refused": str(error)}
        did.append(number)
        time.sleep(0.002)

@hookimpl
def corehost_api():
    progress = Method(handler=lambda input, context: len(did))
    methods = {"once": Method(handler=once), "on-and-on": Method(handler=on_and_on), "progress": progress}
    return ApiSpec(version="1.0.0", methods=methods)
"""


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    made = Workshop(tmp_path_factory.mktemp("courier"))
    made.write("courier", BODY, permissions=PERMISSIONS)
    made.start(isolated=frozenset({"courier"}), isolation=IsolationOptions(allow_loopback_http=True))
    yield made
    made.stop()


@pytest.mark.parametrize("use", sorted(USES))
def test_a_worker_in_the_middle_of_it_is_refused_at_once(workshop: Workshop, url: str, use: str) -> None:
    input = {"use": use, "url": url}
    process = workshop.call("courier", "once", input)
    working = workshop.plugins.gateway.submit("courier", "on-and-on", input, user=ADMIN)
    until(lambda: workshop.call("courier", "progress"), "it uses what it was granted")

    decided = workshop.plugins.grant("courier", {USES[use]: False}, by="user:ann")
    told = working.result(30)
    decided.result(30)

    assert told["process"] == process, "no other process"
    assert f"corehost plugin grant courier {USES[use]}" in told["refused"]
    with pytest.raises(PermissionDeniedError):
        workshop.call("courier", "once", input)

    workshop.plugins.grant("courier", {USES[use]: True}, by="user:ann").result(30)
    later = workshop.call("courier", "once", input)
    assert (later == process) is (use != "bus"), "only what it had subscribed needs a new process to be gone"


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "[::ffff:0.0.0.0]"])
def test_a_worker_with_the_grant_is_still_kept_out_of_our_own_network(workshop: Workshop, url: str, host: str) -> None:
    # Each leads to the server of this test, and stands for whatever is not public; only loopback is let through here.
    inside = url.replace("127.0.0.1", host)

    with pytest.raises(NotAllowedError, match="not a public address"):
        workshop.call("courier", "once", {"use": "network", "url": inside})
