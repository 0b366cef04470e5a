"""The specification's example plugin works in this host, with every field that it uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import builtin_plugins
from corehost import InvalidError, PermissionDeniedError, PermissionSet, UserContext
from corehost.state.storage import Storage
from corehost.testing import HostFactory, MemoryHost, Messages

DASHBOARD = Path(__file__).parent / "dashboard"
PEOPLE = Path(__file__).parent.parent / "builtin_plugins" / "people.py"
CORE_UI = Path(builtin_plugins.__path__[0]) / "core_ui"
ADA = UserContext(id="ada", permissions=PermissionSet({"plugin:dashboard:use"}))
WRITER = UserContext(id="wes", permissions=PermissionSet({"plugin:dashboard:use", "storage:write"}))
SENDER = '''
"""A plugin that sends what the dashboard listens to."""
from corehost import Manifest, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="{id}", name="Sender", version="1.0.0", description="Sends.",
                    permissions=("plugins:communicate",))

@hookimpl
def corehost_setup(context):
    context.later(0.01, lambda: context.core.messages.send("{type}", {{"x": 1}}))
'''


@pytest.fixture
def host(corehost_host: HostFactory) -> MemoryHost:
    return corehost_host(CORE_UI, DASHBOARD, has_builtins=False)


def sender(folder: Path, plugin_id: str, message_type: str) -> Path:
    file = folder / f"{plugin_id}.py"
    file.write_text(SENDER.format(id=plugin_id, type=message_type))
    return file


def listed(host: MemoryHost) -> dict[str, Any]:
    items = host.get("/api/plugins/manifest").get_json()["items"]
    found: dict[str, Any] = next(item for item in items if item["id"] == "dashboard")
    return found


# --- manifest ---


def test_it_is_listed_with_its_whole_manifest(host: MemoryHost) -> None:
    entry = listed(host)

    assert entry["status"] == "enabled"
    assert entry["source"]["type"] == "local"
    assert entry["manifest"] == {
        "id": "dashboard",
        "name": "Dashboard",
        "version": "1.0.0",
        "description": "Main dashboard with customizable widgets",
        "author": "Your Team",
        "icon": "dashboard-icon.svg",
        "dependencies": [{"pluginId": "core-ui", "version": "^1.0.0", "optional": False}],
        "permissions": [
            "storage:read",
            "storage:write",
            "plugins:communicate",
            "routes:register",
            "api:expose",
            "user:read",
        ],
        "configSchema": {
            "type": "object",
            "properties": {
                "defaultLayout": {
                    "type": "string",
                    "title": "Default Layout",
                    "description": "The default dashboard layout",
                    "enum": ["grid", "list", "compact"],
                    "default": "grid",
                    "secret": False,
                },
                "refreshInterval": {
                    "type": "number",
                    "title": "Refresh Interval",
                    "description": "Data refresh interval in seconds",
                    "default": 30,
                    "secret": False,
                },
            },
            "required": [],
        },
        "priority": 100,
        "enabled": True,
        "activation": "startup",
        "isolation": "none",
        "requires": [],
    }


def test_it_loads_after_the_plugin_that_it_needs(host: MemoryHost) -> None:
    order = [plugin.id for plugin in host.host.registry.all() if plugin.is_enabled]

    assert order == ["core-ui", "dashboard"]


def test_without_that_plugin_it_fails_with_the_reason(corehost_host: HostFactory) -> None:
    host = corehost_host(DASHBOARD, check=False, has_builtins=False)

    assert host.status("dashboard") == "error"
    assert "core-ui" in listed(host)["error"]


def test_its_settings_have_their_defaults_and_their_choices(host: MemoryHost) -> None:
    root = UserContext(id="root", permissions=PermissionSet({"*"}))
    config = host.host.plugins.config

    assert config.get("dashboard") == {"defaultLayout": "grid", "refreshInterval": 30}
    with pytest.raises(InvalidError):
        config.set("dashboard", {"defaultLayout": "spiral"}, user=root)
    assert config.set("dashboard", {"defaultLayout": "list"}, user=root)["defaultLayout"] == "list"


# --- setup, teardown and life cycle ---


def test_its_async_setup_and_its_life_cycle_run(corehost_host: HostFactory, capfd: pytest.CaptureFixture[str]) -> None:
    host = corehost_host(CORE_UI, DASHBOARD, has_builtins=False)
    host.disable("dashboard")

    said = "".join(capfd.readouterr())
    words = (
        "Dashboard plugin initialized",
        "Dashboard enabled",
        "Dashboard disabled",
        "Dashboard plugin cleaning up...",
    )
    assert [word for word in words if word not in said] == []


def test_it_hears_that_a_user_signed_in(host: MemoryHost, capfd: pytest.CaptureFixture[str]) -> None:
    host.host.messaging.events.emit("user:login", {"id": "ada", "roles": []})
    host.bus.drain()

    assert "User logged in" in "".join(capfd.readouterr())


# --- api ---


def test_its_methods_answer_as_the_specification_says(host: MemoryHost) -> None:
    assert host.call("dashboard", "getWidgets", {}, user=ADA) == [
        {"id": "stats", "type": "statistics", "title": "Statistics"},
        {"id": "chart", "type": "chart", "title": "Activity Chart"},
        {"id": "recent", "type": "list", "title": "Recent Items"},
    ]
    assert host.call("dashboard", "getLayout", {"userId": "ada"}, user=ADA)["columns"] == 3
    assert host.call("dashboard", "saveLayout", {"layout": {}}, user=WRITER) == {"success": True}


def test_a_method_is_called_over_http(host: MemoryHost) -> None:
    assert host.post("/api/plugins/dashboard/getLayout", json={}).get_json()["result"]["columns"] == 3
    answer = host.post("/api/plugins/dashboard", json={"method": "saveLayout", "input": {"layout": {}}})
    assert answer.get_json() == {"result": {"success": True}}


def test_an_input_that_breaks_the_schema_is_refused_with_its_path(host: MemoryHost) -> None:
    answer = host.post("/api/plugins/dashboard/getLayout", json={"userId": 7})

    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["path"] == "/userId"


def test_a_methods_permission_is_asked_of_its_caller(host: MemoryHost) -> None:
    with pytest.raises(PermissionDeniedError, match="storage:write"):
        host.call("dashboard", "saveLayout", {"layout": {}}, user=ADA)


def test_its_documentation_is_shown(host: MemoryHost) -> None:
    page = host.get("/docs").text

    assert "Retrieve available widgets" in page
    assert "Get all widgets" in page
    assert "/api/plugins/dashboard/getWidgets" in host.get("/api/openapi.json").text


# --- messages ---


def test_a_request_to_it_is_answered(host: MemoryHost) -> None:
    answer = host.bus.request("dashboard:widget:refresh", {"widgetId": "stats"})

    assert answer == {"refreshed": True, "widgetId": "stats"}


def test_a_payload_that_breaks_its_schema_is_refused_to_the_sender(host: MemoryHost) -> None:
    with pytest.raises(InvalidError):
        host.bus.send("dashboard:widget:refresh", {})


def test_it_handles_the_message_without_an_answer(host: MemoryHost, capfd: pytest.CaptureFixture[str]) -> None:
    host.bus.send("dashboard:layout:changed", {"layout": {"columns": 2}})
    host.bus.drain()

    assert "Layout changed: {'columns': 2}" in capfd.readouterr().out


def test_it_hears_all_messages_of_its_pattern(
    corehost_host: HostFactory, tmp_path: Path, messages: Messages, capfd: pytest.CaptureFixture[str]
) -> None:
    host = corehost_host(CORE_UI, DASHBOARD, sender(tmp_path, "tracker", "analytics:data-updated"), has_builtins=False)
    messages.wait_for("analytics:data-updated")
    host.bus.drain()

    said = "".join(capfd.readouterr())
    assert "Analytics event received: analytics:data-updated" in said
    assert "Analytics data updated" in said


@pytest.mark.parametrize(("source", "is_heard"), [("settings", True), ("stranger", False)])
def test_it_hears_preferences_from_settings_alone(
    corehost_host: HostFactory,
    tmp_path: Path,
    messages: Messages,
    capfd: pytest.CaptureFixture[str],
    source: str,
    is_heard: bool,
) -> None:
    host = corehost_host(CORE_UI, DASHBOARD, has_builtins=False)
    host.bus.send("user:preferences:changed", {}, source=source)
    messages.wait_for("user:preferences:changed")
    host.bus.drain()

    assert ("User preferences changed" in capfd.readouterr().out) is is_heard


def test_its_messages_are_documented(host: MemoryHost) -> None:
    document = host.get("/api/asyncapi.json").text

    for message_type in ("dashboard:widget:refresh", "dashboard:layout:changed", "dashboard:widget:added"):
        assert message_type in document


# --- stores ---


def put(host: MemoryHost, name: str, value: object) -> int:
    answer = host.request(f"/api/plugins/dashboard/stores/{name}", method="PUT", json={"value": value})
    return answer.status_code


def test_its_derived_store_follows_the_others(host: MemoryHost) -> None:
    assert host.store("dashboard", "activeWidgets") == []

    put(host, "widgets", [{"id": "a", "type": "list", "title": "A"}, {"id": "b", "type": "list", "title": "B"}])
    put(host, "layout", {"columns": 1, "widgets": [{"id": "b", "position": {"x": 0, "y": 0, "w": 1, "h": 1}}]})

    assert [widget["id"] for widget in host.store("dashboard", "activeWidgets")] == ["b"]


def test_its_store_schemas_hold(host: MemoryHost) -> None:
    assert put(host, "preferences", {"theme": "sepia"}) == 422
    assert put(host, "preferences", {"theme": "dark", "refreshInterval": 5, "compactMode": True}) == 200


def test_its_readable_stores_cannot_be_set(host: MemoryHost) -> None:
    assert put(host, "isLoading", True) == 409
    assert host.store("dashboard", "isLoading") is False


def test_saved_preferences_are_loaded_at_setup(host: MemoryHost, tmp_path: Path) -> None:
    saved = {"theme": "dark", "refreshInterval": 5, "compactMode": True}
    host.disable("dashboard")
    storage = Storage(host.host.settings.data_dir / "storage" / "dashboard.db")
    storage.set("preferences", saved)
    storage.close()

    host.enable("dashboard")

    assert host.store("dashboard", "preferences") == saved


# --- routes ---


def test_its_page_is_laid_out_in_its_layout_and_in_the_shell(host: MemoryHost) -> None:
    page = host.get("/dashboard").text

    assert "<title>Dashboard · corehost</title>" in page
    assert '<section class="dashboard-layout"><h1>Dashboard</h1></section>' in page


def test_its_second_page_has_no_layout_of_its_own(host: MemoryHost) -> None:
    page = host.get("/dashboard/widgets").text

    assert "<h1>Widget Settings</h1>" in page
    assert "dashboard-layout" not in page


def test_its_navigation_has_icon_and_child(host: MemoryHost) -> None:
    page = host.get("/dashboard").text

    assert 'src="/static/plugins/dashboard/1.0.0/dashboard-icon.svg"' in page
    assert 'href="/dashboard/widgets"' in page
    assert host.get("/static/plugins/dashboard/1.0.0/dashboard-icon.svg").status_code == 200


def person(*permissions: str) -> dict[str, str]:
    return {"Authorization": ",".join(("Person ada", *permissions))}


def test_its_guard_sends_away_who_may_not_manage(corehost_host: HostFactory) -> None:
    host = corehost_host(CORE_UI, DASHBOARD, PEOPLE, has_builtins=False)
    held = ("plugin:dashboard:use", "storage:write")

    refused = host.get("/dashboard/widgets", headers=person(*held))
    let_in = host.get("/dashboard/widgets", headers=person(*held, "dashboard:manage"))

    assert (refused.status_code, refused.headers["Location"]) == (303, "/dashboard")
    assert let_in.status_code == 200


def test_its_route_asks_for_the_permission_in_its_meta(corehost_host: HostFactory) -> None:
    host = corehost_host(CORE_UI, DASHBOARD, PEOPLE, has_builtins=False)

    answer = host.get("/dashboard/widgets", headers=person("plugin:dashboard:use", "dashboard:manage"))

    assert answer.status_code == 403
