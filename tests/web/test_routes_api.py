from __future__ import annotations

from typing import Any

import pytest

from corehost import Route, UserContext
from corehost.contract.core import RouteManager
from corehost.contract.errors import InvalidError, ManifestError, NotFoundError, PermissionDeniedError
from corehost.contract.permissions import PermissionSet
from corehost.contract.routes import RouteInfo
from tests.web.bench import Bench

CLOCK = """
kept = {}

def where():
    found = kept["context"].core.routes.get_current_route()
    return f"{found.path} {dict(found.params)} {dict(found.query)} {found.plugin}"

def go(id):
    kept["context"].core.routes.navigate(f"/clock/{id}", replace=True)
    return where()

@hookimpl
def corehost_setup(context):
    kept["context"] = context
    context.core.routes.register([Route(path="/from-setup", view=lambda: "from setup")])

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/clock", routes=(
        Route(path="/", view=where, meta=RouteMeta(title="Clock")),
        Route(path="/hidden", view=where, meta=RouteMeta(hidden=True)),
        Route(path="/special", view=where, meta=RouteMeta(permissions=("special:see",))),
        Route(path="/:id", view=go)),
        navigation=(
            NavigationItem(id="b", label="B", path="/clock/special", order=2),
            NavigationItem(id="a", label="A", path="/clock", order=1, badge="new",
                           children=(NavigationItem(id="c", label="C", path="/clock/special"),
                                     NavigationItem(id="d", label="D", path="/clock/7"))),
            NavigationItem(id="h", label="H", path="/clock/hidden")))
"""


@pytest.fixture
def clock(bench: Bench) -> Bench:
    bench.write("clock", CLOCK)
    return bench.start()


def routes(bench: Bench, plugin_id: str = "clock") -> RouteManager:
    module = bench.plugins.registry.get(plugin_id).module
    assert module is not None
    manager: RouteManager = module.kept["context"].core.routes
    return manager


def test_what_setup_registers_is_there_when_the_plugin_goes_live(clock: Bench) -> None:
    assert "from setup" in clock.get("/clock/from-setup").text


def test_routes_come_and_go_at_run_time(clock: Bench) -> None:
    undo = routes(clock).register([Route(path="/new/[...rest]", view=lambda rest: f"new {rest}")])
    assert "new a/b" in clock.get("/clock/new/a/b").text

    undo()
    undo()
    assert clock.get("/clock/new/a/b").status_code == 404

    routes(clock).register([Route(path="/x/y", view=lambda: "x"), Route(path="/x/z", view=lambda: "z")])
    routes(clock).unregister(["/x/y"])
    assert clock.get("/clock/x/y").status_code == 404
    assert clock.get("/clock/x/z").status_code == 200


def test_a_registered_route_stands_in_for_one_of_its_path(clock: Bench) -> None:
    undo = routes(clock).register([Route(path="/", view=lambda: "instead")])
    assert "instead" in clock.get("/clock").text

    undo()
    assert "instead" not in clock.get("/clock").text


def test_routes_that_cannot_be_served_change_nothing(clock: Bench) -> None:
    with pytest.raises(ManifestError):
        routes(clock).register([Route(path="/good", view=lambda: "x"), Route(path="/[bad", view=lambda: "x")])
    with pytest.raises(NotFoundError, match="registered no route '/none'"):
        routes(clock).unregister(["/none"])

    assert clock.get("/clock/good").status_code == 404  # "/:id" is asked, which finds no browser to move


def test_routes_added_are_gone_after_a_reload(clock: Bench) -> None:
    routes(clock).register([Route(path="/x/y", view=lambda: "x")])

    clock.plugins.lifecycle.disable("clock")
    clock.plugins.lifecycle.enable("clock")

    assert clock.get("/clock/x/y").status_code == 404
    assert clock.get("/clock/from-setup").status_code == 200


def test_without_the_permission_nothing_is_registered(bench: Bench) -> None:
    bench.write(
        "mute",
        """
kept = {}
@hookimpl
def corehost_manifest():
    return Manifest(id="mute", name="Mute", version="1.0.0", description="d")
@hookimpl
def corehost_setup(context):
    kept["context"] = context
""",
    )
    bench.start()

    with pytest.raises(PermissionDeniedError, match="routes:register"):
        routes(bench, "mute").register([Route(path="/", view=lambda: "x")])


def test_a_view_knows_where_it_is(clock: Bench) -> None:
    assert "/clock {} {&#39;q&#39;" not in clock.get("/clock?q=1").text
    assert "/clock {} {'q': '1'} clock" in clock.get("/clock?q=1").text

    with pytest.raises(NotFoundError):
        routes(clock).get_current_route()


def test_a_view_sends_its_own_browser_elsewhere(clock: Bench) -> None:
    clock.sign_in()
    clock.browse("/clock/9")

    ((session, method, params),) = clock.notified
    assert session
    assert method == "ui.navigate"
    assert params == {"path": "/clock/9", "replace": True, "state": None}


def test_a_browser_is_sent_to_this_host_only(clock: Bench) -> None:
    with pytest.raises(InvalidError):
        routes(clock).navigate("https://evil.example", session="s")
    with pytest.raises(NotFoundError, match="session"):
        routes(clock).navigate("/clock")

    routes(clock).navigate("/clock", session="s", state={"a": 1})
    assert clock.notified == [("s", "ui.navigate", {"path": "/clock", "replace": False, "state": {"a": 1}})]


def test_a_path_is_matched_without_being_served(clock: Bench) -> None:
    assert routes(clock).match("/clock/9/") == RouteInfo(path="/clock/9", params={"id": "9"}, query={}, plugin="clock")
    assert routes(clock).match("/clock/9/x") is None
    assert routes(clock).match("/elsewhere") is None


def test_all_routes_and_their_store_follow_what_is_live(clock: Bench) -> None:
    seen: list[Any] = []
    store = routes(clock).get_store()
    store.subscribe(seen.append)
    assert {info.path for info in routes(clock).all_routes()} == set(store.get())
    assert "/clock/:id" in store.get()

    undo = routes(clock).register([Route(path="/more/:x", view=lambda x: x)])
    assert "/clock/more/:x" in store.get()
    undo()

    assert "/clock/more/:x" not in store.get()
    assert seen[0] == sorted(seen[0])


def test_the_menu_shows_what_the_user_may_see_in_order(clock: Bench) -> None:
    everything = routes(clock).navigation()
    assert [item.label for item in everything] == ["H", "A", "B"]

    visitor = UserContext(id="v", permissions=PermissionSet({"plugin:clock:use"}))
    (seen,) = routes(clock).navigation(visitor)
    assert (seen.label, seen.badge) == ("A", "new")
    assert [child.label for child in seen.children] == ["D"]
    assert routes(clock).navigation(UserContext(id="nobody")) == []
