"""What plugins may do, and who did what, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from corehost.contract.permissions import PermissionSet
from corehost.contract.user import UserContext
from corehost.messaging.trail import Trail, entered
from tests.web.bench import Bench

CLOCK = """
zone = writable("UTC")

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={
        "set": Method(handler=lambda input, context: None),
        "now": Method(handler=lambda input, context: "12:00", changes=False),
    })

@hookimpl
def corehost_stores():
    return StoresSpec(writable={"zone": zone})

@hookimpl
def corehost_authenticate(headers):
    name = headers.get("x-who")
    return UserContext(id=name, permissions=PermissionSet({"plugin:clock:*"})) if name else None
"""
GRANTS = "/api/plugins/clock/grants"


@pytest.fixture
def clock(bench: Bench) -> Bench:
    bench.write("clock", CLOCK.replace("UserContext(", "UserContext("), more='"network:fetch"')
    return bench.start()


def told(bench: Bench, **query: Any) -> list[tuple[str, str, str, str]]:
    bench.database.audit.settle()
    answer = bench.get("/api/audit", query_string=query)
    assert answer.status_code == 200, answer.text
    return [(e["action"], e["actor"], e["subject"], e["outcome"]) for e in answer.get_json()["items"]]


def test_what_a_plugin_may_do_is_told_in_words(clock: Bench) -> None:
    document = clock.get(GRANTS).get_json()

    assert (document["plugin"], document["name"], document["status"]) == ("clock", "Clock", "enabled")
    (fetch,) = [item for item in document["items"] if item["permission"] == "network:fetch"]
    assert fetch["granted"] is True
    assert fetch["meaning"].startswith("Send requests to other servers")
    assert document["awaits"] == []


def test_a_grant_is_revoked_and_given_back(clock: Bench) -> None:
    answer = clock.ask("PUT", GRANTS, json={"grants": {"network:fetch": False}})
    assert answer.status_code == 200, answer.text
    (fetch,) = [item for item in answer.get_json()["items"] if item["permission"] == "network:fetch"]
    assert (fetch["granted"], fetch["by"]) == (False, "user:admin")
    assert "network:fetch" not in clock.get("/api/plugins/clock").get_json()["permissions"]

    clock.ask("PUT", GRANTS, json={"grants": {"network:fetch": True}})

    assert "network:fetch" in clock.plugins.registry.get("clock").granted
    assert told(clock, action="grant:") == [
        ("grant:give", "user:admin", "clock", "done"),
        ("grant:revoke", "user:admin", "clock", "done"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({}, 422, "/grants"),
        ({"grants": []}, 422, "/grants"),
        ({"grants": {"network:fetch": "yes"}}, 422, "/grants/network:fetch"),
        ({"grants": {"host:configure": True}}, 422, "/grants/host:configure"),
        ({"grants": {"network:fetch": False}, "all": True}, 422, "/all"),
    ],
)
def test_a_wrong_decision_changes_nothing_and_names_the_fault(
    clock: Bench, body: dict[str, Any], status: int, path: str
) -> None:
    answer = clock.ask("PUT", GRANTS, json=body)

    assert answer.status_code == status
    assert [error["path"] for error in answer.get_json()["errors"]] == [path]
    assert "network:fetch" in clock.plugins.registry.get("clock").granted


def test_who_manages_a_plugin_sees_its_grants_and_does_not_decide_on_them(clock: Bench) -> None:
    headers = {"Authorization": "Basic x", "X-Who": "ann"}

    assert clock.ask("GET", GRANTS, headers=headers).status_code == 200
    refused = clock.ask("PUT", GRANTS, json={"grants": {"network:fetch": False}}, headers=headers)

    assert refused.status_code == 403
    assert "grants:write" in refused.text
    assert ("permission:refuse", "user:ann", "grants:write", "refused") in told(clock)


def test_a_plugin_that_nobody_knows_has_no_grants(clock: Bench) -> None:
    assert clock.get("/api/plugins/nobody/grants").status_code == 404


def test_what_people_change_is_in_the_log_and_what_they_read_is_not(clock: Bench) -> None:
    clock.ask("POST", "/api/plugins/clock/set", json={})
    clock.ask("POST", "/api/plugins/clock/now", json={})
    clock.ask("PUT", "/api/plugins/clock/stores/zone", json={"value": "CET"})
    clock.ask("PUT", "/api/plugins/clock/status", json={"status": "disabled"})
    clock.ask("PUT", "/api/plugins/clock/status", json={"status": "enabled"})
    clock.ask("PUT", "/api/plugins/clock/status?reload=1", json={"status": "enabled"})
    clock.ask("PUT", "/api/plugins/nobody/status", json={"status": "enabled"})
    clock.ask("DELETE", "/api/plugins/clock")

    done = "done"
    entries = [entry for entry in reversed(told(clock)) if entry[0] != "permission:refuse"]
    assert sorted(entries[:2]) == [
        ("plugin:call", "user:admin", "clock.set", done),
        ("plugin:write-store", "user:admin", "clock/zone", done),
    ]
    assert entries[2:] == [
        ("plugin:disable", "user:admin", "clock", done),
        ("plugin:enable", "user:admin", "clock", done),
        ("plugin:reload", "user:admin", "clock", done),
        ("plugin:unregister", "user:admin", "clock", done),
    ]


def test_a_change_of_settings_is_in_the_log_without_their_values(clock: Bench) -> None:
    user = UserContext(id="ann", permissions=PermissionSet({"*"}))
    with entered(Trail(user=user)):
        clock.plugins.config.set("clock", {}, user=user)

    assert told(clock, action="plugin:configure") == [("plugin:configure", "user:ann", "clock", "done")]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "since=x", "before=-1", "begin=nan", "limit=1e99"])
def test_a_query_that_makes_no_sense_is_refused(clock: Bench, query: str) -> None:
    assert clock.get(f"/api/audit?{query}").status_code == 422


def test_the_log_is_for_those_who_may_read_it(clock: Bench) -> None:
    answer = clock.ask("GET", "/api/audit", headers={"Authorization": "Basic x", "X-Who": "ann"})

    assert answer.status_code == 403
    assert clock.client.get("/api/audit", base_url="http://127.0.0.1:8620").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nobody_changes_the_log(clock: Bench, method: str) -> None:
    assert clock.ask(method, "/api/audit", json={}).status_code == 405
