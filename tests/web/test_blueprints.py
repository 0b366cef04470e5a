from __future__ import annotations

from collections.abc import Callable

from tests.web.bench import BASE, Bench

READY = """
ready = flask.Blueprint("NAME", __name__)

@ready.route("/")
def index():
    return "<p>as it is</p>"

@ready.route("/later/<int:number>")
async def later(number):
    return f"later {number}"

@ready.route("/missing")
def missing():
    flask.abort(404)

@ready.route("/raises")
def raises():
    raise ValueError("mine")

@ready.errorhandler(ValueError)
def mine(error):
    return f"handled {error}", 409

@ready.app_errorhandler(404)
def not_here(error):
    return "own 404", 404

@ready.before_app_request
def note():
    flask.g.noted = "noted"

@ready.route("/noted")
def noted():
    return flask.g.get("noted", "nothing")

def extra():
    return flask.url_for("NAME.later", number=3)

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/shop", blueprint=ready, routes=(Route(path="/extra", view=extra),))
"""
OTHER = """
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/other", routes=(
        Route(path="/", view=lambda: flask.g.get("noted", "nothing noted")),
        Route(path="/link", view=lambda: flask.url_for("shop.extra"))))
"""


def test_a_ready_blueprints_answers_pass_as_they_are(bench: Bench) -> None:
    bench.write("shop", READY.replace("NAME", "store"))
    bench.start()

    assert bench.get("/shop").text == "<p>as it is</p>"
    assert bench.get("/shop/later/7").text == "later 7"
    assert "<title>" in bench.get("/shop/extra").text
    assert "/shop/later/3" in bench.get("/shop/extra").text


def test_its_own_error_handlers_are_respected(bench: Bench) -> None:
    bench.write("shop", READY.replace("NAME", "store"))
    bench.start()

    assert (bench.get("/shop/raises").status_code, bench.get("/shop/raises").text) == (409, "handled mine")
    assert bench.get("/shop/missing").text == "own 404"
    assert bench.get("/shop/nowhere").text == "own 404"
    assert bench.errors("shop") == {}


def test_what_it_hooks_into_its_app_does_not_reach_others(bench: Bench) -> None:
    bench.write("shop", READY.replace("NAME", "store"))
    bench.write("other", OTHER)
    bench.start()

    assert bench.get("/shop/noted").text == "noted"
    assert "nothing noted" in bench.get("/other").text
    assert "<title>" in bench.get("/other/nowhere").text


def test_it_may_bear_the_plugins_own_name(bench: Bench) -> None:
    bench.write("shop", READY.replace("NAME", "shop"))
    bench.write("other", OTHER)
    bench.start()

    assert bench.get("/shop").text == "<p>as it is</p>"
    assert "/shop/extra" in bench.get("/other/link").text


def test_it_can_be_switched_off_and_on_again(bench: Bench) -> None:
    bench.write("shop", READY.replace("NAME", "store"))
    bench.start()

    for _ in range(2):
        bench.plugins.lifecycle.disable("shop")
        assert bench.get("/shop").status_code == 404
        bench.plugins.lifecycle.enable("shop")
        assert bench.get("/shop").status_code == 200


VISITORS = """
@hookimpl
def corehost_authenticate(headers):
    name = headers.get("x-visitor")
    return UserContext(id=name, permissions=PermissionSet({"plugin:open:use"})) if name else None

@hookimpl
def corehost_check_permission(user, permission):
    return True if (user.id, permission) == ("ann", "plugin:shop:use") else None
"""
OPEN = """
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/open", routes=(
        Route(path="/", view=lambda: "open page"),
        Route(path="/special", view=lambda: "special", meta=RouteMeta(permissions=("special:see",)))),
        navigation=(NavigationItem(id="open", label="Open", path="/open"),))
"""


def test_pages_are_for_those_who_may_use_the_plugin(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.write("shop", READY.replace("NAME", "store"))
    bench.write("open", OPEN)
    bench.write("visitors", VISITORS)
    bench.start()

    def visit(path: str, name: str) -> int:
        return bench.client.get(path, base_url=BASE, headers={"X-Visitor": name}, buffered=True).status_code

    assert visit("/open", "bob") == 200
    assert visit("/open/special", "bob") == 403
    assert visit("/open/nowhere", "bob") == 404
    assert visit("/shop", "bob") == 403
    assert visit("/shop/noted", "bob") == 403
    assert visit("/shop", "ann") == 200
    assert visit("/metrics", "ann") == 403
    assert visit("/api/plugins/shop", "bob") == 403
    assert visit("/", "bob") == 303
