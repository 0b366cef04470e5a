from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from corehost import InvalidError, PermissionDeniedError, PermissionSet, UserContext
from corehost.testing import HostFactory, MemoryHost, Messages
from tests.serve.kit import until

PEOPLE = Path(__file__).parent.parent / "people.py"
USE = ("plugin:dashboard:use", "plugin:core-ui:use", "storage:write")
ADA = UserContext(id="ada", permissions=PermissionSet(USE))
BOB = UserContext(id="bob", permissions=PermissionSet(USE))
BOSS = UserContext(id="boss", permissions=PermissionSet((*USE, "plugin:dashboard:manage")))
ONE: dict[str, Any] = {"columns": 2, "widgets": [{"id": "recent", "position": {"x": 0, "y": 0, "w": 1, "h": 1}}]}

WEATHER = '''
"""Weather: offers the dashboard a widget."""
from corehost import ApiSpec, Manifest, Method, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="weather", name="Weather", version="1.0.0", description="The sky.",
                    permissions=("api:expose", "plugins:communicate"))

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"now": Method(handler=lambda input, context: {"text": "Sunny"})})

@hookimpl(optionalhook=True)
def dashboard_widgets(user):
    return OFFERS
'''
SKY = {"id": "sky", "type": "text", "title": "Sky", "method": "now"}


@pytest.fixture
def host(corehost_host: HostFactory) -> MemoryHost:
    return corehost_host("core-ui", "dashboard")


def weather(folder: Path, offers: object = None) -> Path:
    file = folder / "weather.py"
    file.write_text(f"{WEATHER}\nOFFERS = {[SKY] if offers is None else offers!r}\n")
    return file


def ids(widgets: list[dict[str, Any]]) -> list[str]:
    return [widget["id"] for widget in widgets]


def test_its_own_widgets_are_those_of_the_specification(host: MemoryHost) -> None:
    assert ids(host.call("dashboard", "getWidgets", {}, user=ADA)) == ["stats", "chart", "recent"]


@pytest.mark.parametrize("method", ["getStatistics", "getActivity", "getRecent"])
def test_its_own_widgets_have_data(host: MemoryHost, method: str) -> None:
    host.bus.send("clock:tick", {})

    data = host.call("dashboard", method, {}, user=ADA)

    assert data.get("items") or data["series"][0]["points"]


def test_a_layout_is_kept_for_its_user(host: MemoryHost, messages: Messages) -> None:
    saved = host.call("dashboard", "saveLayout", {"layout": ONE}, user=ADA)

    assert saved == {"success": True, "layout": ONE}
    assert host.call("dashboard", "getLayout", {}, user=ADA) == ONE
    assert len(host.call("dashboard", "getLayout", {}, user=BOB)["widgets"]) == 3
    assert messages.wait_for("dashboard:layout:changed").payload == {"layout": ONE, "userId": "ada"}


def test_a_widget_that_comes_to_the_dashboard_is_told(host: MemoryHost, messages: Messages) -> None:
    host.call("dashboard", "saveLayout", {"layout": ONE}, user=ADA)
    host.call("dashboard", "resetLayout", {}, user=ADA)
    host.bus.drain()

    added = [message.payload["widgetId"] for message in messages.of("dashboard:widget:added")]
    assert added == ["stats", "chart"]


def test_the_layout_of_another_is_for_those_who_manage_the_dashboard(host: MemoryHost) -> None:
    host.call("dashboard", "saveLayout", {"layout": ONE}, user=ADA)

    assert host.call("dashboard", "getLayout", {"userId": "ada"}, user=BOSS) == ONE
    with pytest.raises(PermissionDeniedError):
        host.call("dashboard", "getLayout", {"userId": "ada"}, user=BOB)


def test_saving_needs_the_permission_that_the_specification_asks_for(host: MemoryHost) -> None:
    reader = UserContext(id="eve", permissions=PermissionSet({"plugin:dashboard:use"}))

    with pytest.raises(PermissionDeniedError):
        host.call("dashboard", "saveLayout", {"layout": ONE}, user=reader)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"layout": None},
        {"layout": {"columns": 0, "widgets": []}},
        {"layout": {"columns": 3, "widgets": [{"id": "stats"}]}},
        {"layout": {"columns": 3, "widgets": [{"id": "stats", "position": {"x": -1, "y": 0, "w": 1, "h": 1}}]}},
    ],
)
def test_what_is_no_layout_is_refused(host: MemoryHost, bad: object) -> None:
    with pytest.raises(InvalidError):
        host.call("dashboard", "saveLayout", bad, user=ADA)


def test_a_saved_layout_survives_that_the_dashboard_is_switched_off_and_on(host: MemoryHost) -> None:
    host.call("dashboard", "saveLayout", {"layout": ONE}, user=ADA)

    host.disable("dashboard")
    host.enable("dashboard")

    assert host.call("dashboard", "getLayout", {}, user=ADA) == ONE


def test_refreshing_a_widget_is_answered_and_told_to_every_page(host: MemoryHost, messages: Messages) -> None:
    answer = host.bus.request("dashboard:widget:refresh", {"widgetId": "stats"})

    assert answer == {"refreshed": True, "widgetId": "stats"}
    assert messages.wait_for("dashboard:widget:refreshed").payload == {"widgetId": "stats"}


def test_a_widget_that_is_not_there_is_not_refreshed(host: MemoryHost) -> None:
    answer = host.bus.request("dashboard:widget:refresh", {"widgetId": "gone"})

    assert answer == {"refreshed": False, "widgetId": "gone"}


def test_another_plugin_puts_its_widget_on_the_dashboard(corehost_host: HostFactory, tmp_path: Path) -> None:
    host = corehost_host("core-ui", "dashboard", weather(tmp_path))

    found = host.call("dashboard", "getWidgets", {}, user=ADA)[-1]

    assert found["id"] == "weather:sky"
    assert found["source"] == {"plugin": "weather", "method": "now", "input": {}}
    until(lambda: "weather:sky" in ids(host.store("dashboard", "widgets")), "its widget")


def test_its_widget_goes_with_it(corehost_host: HostFactory, tmp_path: Path) -> None:
    host = corehost_host("core-ui", "dashboard", weather(tmp_path))
    until(lambda: "weather:sky" in ids(host.store("dashboard", "widgets")), "its widget")

    host.disable("weather")

    until(lambda: "weather:sky" not in ids(host.store("dashboard", "widgets")), "its widget to go")


def test_a_plugin_with_widgets_loads_without_the_dashboard(corehost_host: HostFactory, tmp_path: Path) -> None:
    host = corehost_host("core-ui", weather(tmp_path))

    assert host.status("weather") == "enabled"


def test_what_is_no_widget_is_left_out_and_charged_to_its_plugin(corehost_host: HostFactory, tmp_path: Path) -> None:
    host = corehost_host("core-ui", "dashboard", weather(tmp_path, offers=[{"id": "Sky!", "type": "balloon"}]))

    assert ids(host.call("dashboard", "getWidgets", {}, user=ADA)) == ["stats", "chart", "recent"]
    assert sum(host.faults("weather").values()) > 0


def test_the_shared_layout_is_set_by_a_manager_and_kept(host: MemoryHost) -> None:
    answer = host.request("/api/plugins/dashboard/stores/layout", method="PUT", json={"value": ONE})
    host.disable("dashboard")
    host.enable("dashboard")

    assert answer.status_code == 200
    assert host.call("dashboard", "getLayout", {}, user=BOB) == ONE


def test_preferences_are_checked_and_kept(host: MemoryHost) -> None:
    chosen = {"theme": "dark", "refreshInterval": 10, "compactMode": True}
    path = "/api/plugins/dashboard/stores/preferences"

    assert host.request(path, method="PUT", json={"value": {**chosen, "theme": "sepia"}}).status_code == 422
    assert host.request(path, method="PUT", json={"value": chosen}).status_code == 200
    host.disable("dashboard")
    host.enable("dashboard")
    assert host.store("dashboard", "preferences") == chosen


def test_active_widgets_are_those_of_the_shared_layout(host: MemoryHost) -> None:
    host.request("/api/plugins/dashboard/stores/layout", method="PUT", json={"value": ONE})

    assert ids(host.store("dashboard", "activeWidgets")) == ["recent"]


def test_the_pages_hold_the_board(host: MemoryHost) -> None:
    for path in ("/dashboard", "/dashboard/widgets"):
        answer = host.get(path)

        assert answer.status_code == 200
        assert "data-board=" in answer.text


def test_the_menu_leads_to_both_pages(host: MemoryHost) -> None:
    page = host.get("/dashboard").text

    assert 'href="/dashboard" aria-current="page"' in page
    assert 'href="/dashboard/widgets"' in page


def test_the_refresh_interval_of_the_settings_applies_live(host: MemoryHost) -> None:
    root = UserContext(id="root", permissions=PermissionSet({"*"}))

    host.host.plugins.config.set("dashboard", {"refreshInterval": 60}, user=root)
    host.bus.drain()

    assert host.store("dashboard", "preferences")["refreshInterval"] == 60


def test_arranging_is_for_those_who_may(corehost_host: HostFactory) -> None:
    host = corehost_host("core-ui", "dashboard", PEOPLE)
    held = ("Person ada", "plugin:dashboard:use", "plugin:core-ui:use", "storage:write")

    board = host.get("/dashboard", headers={"Authorization": ",".join(held)})
    editor = host.get("/dashboard/widgets", headers={"Authorization": ",".join(held)})

    assert "Arrange widgets" not in board.text
    assert (editor.status_code, editor.headers["Location"]) == (303, "/dashboard")


def test_it_finds_the_widgets_of_plugins_that_were_there_before_it(corehost_host: HostFactory, tmp_path: Path) -> None:
    host = corehost_host("core-ui", "dashboard", weather(tmp_path))

    host.disable("dashboard")
    host.enable("dashboard")

    until(lambda: "weather:sky" in ids(host.store("dashboard", "widgets")), "its widget")


def test_its_activity_counts_all_that_the_bus_remembers(host: MemoryHost) -> None:
    for _ in range(1_500):
        host.bus.send("clock:tick", {})

    points = host.call("dashboard", "getActivity", {}, user=ADA)["series"][0]["points"]

    assert sum(point["y"] for point in points) >= 1_500
