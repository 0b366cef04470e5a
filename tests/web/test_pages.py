from __future__ import annotations

from collections.abc import Callable

from tests.web.bench import Bench

CLOCK = """
async def later(id):
    return f"<p>async {id} {flask.request.args.get('q')}</p>"

def page():
    return "<h1>Clock</h1>"

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/clock", routes=(
        Route(path="/", view=page, meta=RouteMeta(title="What <time>")),
        Route(path="/colon/:id", view=lambda id: f"colon {id}"),
        Route(path="/brackets/[id]", view=lambda id: f"brackets {id}"),
        Route(path="/rest/[...rest]", view=lambda rest: f"rest {rest!r}"),
        Route(path="/number/<int:id>", view=lambda id: f"number {id + 1}"),
        Route(path="/later/:id", view=later),
        Route(path="/tuple", view=lambda: (page(), 422, {"X-Extra": "yes"})),
        Route(path="/response", view=lambda: flask.Response("as it is", mimetype="text/plain")),
        Route(path="/json", view=lambda: {"a": 1}),
        Route(path="/away", view=lambda: flask.redirect("/clock")),
        Route(path="/raises", view=lambda: 1 / 0),
        Route(path="/exits", view=lambda: exit(3)),
        Route(path="/aborts", view=lambda: flask.abort(418)),
        Route(path="/forbids", view=lambda: (_ for _ in ()).throw(PermissionDeniedError("Not you."))),
        Route(path="/late", view=lambda: (_ for _ in ()).throw(LateError("Too late."))),
        Route(path="/form", view=lambda: flask.request.form["a"], methods=("GET", "POST")),
        Route(path="/visits", view=lambda: str(flask.session.setdefault("visits", 7))),
        Route(path="/links", view=lambda: " ".join(
            [flask.url_for("clock.page"), flask.url_for("clock.later", id=3, _anchor="x")])),
    ), navigation=(NavigationItem(id="clock", label="Clock", path="/clock", icon="clock", badge=3),))
"""


def test_a_str_is_laid_out_in_the_shell_with_the_routes_title(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    answer = bench.get("/clock")

    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert "<h1>Clock</h1>" in answer.text
    assert "<title>What &lt;time&gt; · corehost</title>" in answer.text
    assert 'aria-current="page"' in answer.text


def test_every_spelling_of_a_parameter_reaches_the_view(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    assert "colon 7" in bench.get("/clock/colon/7").text
    assert "brackets ä" in bench.get("/clock/brackets/ä").text
    assert "rest 'a/b/c'" in bench.get("/clock/rest/a/b/c").text
    assert "rest ''" in bench.get("/clock/rest").text
    assert "number 8" in bench.get("/clock/number/7").text
    assert bench.get("/clock/number/x").status_code == 404
    assert "async 5 why" in bench.get("/clock/later/5?q=why").text


def test_only_a_str_is_laid_out(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    laid_out = bench.get("/clock/tuple")
    assert laid_out.status_code == 422
    assert laid_out.headers["X-Extra"] == "yes"
    assert "<title>" in laid_out.text
    assert bench.get("/clock/response").text == "as it is"
    assert bench.get("/clock/json").json == {"a": 1}
    assert bench.get("/clock/away").location == "/clock"


def test_a_page_that_raises_shows_a_panel_and_is_charged(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    answer = bench.get("/clock/raises")

    assert answer.status_code == 502
    assert "ZeroDivisionError" in answer.text  # the administrator is told
    assert 'id="main"' in answer.text
    assert bench.errors("clock") == {"route": 1}
    assert bench.get("/clock").status_code == 200


def test_a_program_gets_a_problem_and_no_cause(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    answer = bench.get("/clock/raises", headers={"Accept": "application/json"})

    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["type"] == "urn:corehost:problem:plugin-fault"
    assert "Zero" not in answer.text


def test_a_page_that_exits_is_contained(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    assert bench.get("/clock/exits").status_code == 502
    assert bench.errors("clock") == {"route": 1}


def test_a_refusal_is_an_answer_and_no_fault(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    assert bench.get("/clock/aborts").status_code == 418
    assert bench.get("/clock/forbids").status_code == 403
    assert "Not you." in bench.get("/clock/forbids").text
    assert bench.get("/clock/late").status_code == 504
    assert bench.get("/clock/nowhere").status_code == 404
    assert bench.errors("clock") == {}


def test_head_options_and_wrong_methods_are_right(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    head = bench.ask("HEAD", "/clock")
    assert (head.status_code, head.data) == (200, b"")
    assert set(bench.ask("OPTIONS", "/clock").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    wrong = bench.ask("POST", "/clock")
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["Allow"]


def test_a_form_is_posted_with_the_pages_token(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()
    bench.sign_in()
    page = bench.browse("/clock").text
    token = page.partition('name="csrf-token" content="')[2].partition('"')[0]

    assert bench.browse("/clock/form", method="POST", data={"a": "1"}).status_code == 403
    answer = bench.browse("/clock/form", method="POST", data={"a": "<b>", "csrf_token": token})
    assert answer.status_code == 200
    assert "<b>" in answer.text


def test_flasks_session_works_across_plugins(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.write(
        "other",
        """
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/other", routes=(Route(path="/", view=lambda: f"seen {flask.session.get('visits')}"),))
""",
    )
    bench.start()
    bench.sign_in()

    bench.browse("/clock/visits")

    assert "seen 7" in bench.browse("/other").text


def test_links_within_to_other_plugins_and_to_one_that_is_off(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.write(
        "other",
        """
def view():
    return " ".join(flask.url_for(name) for name in ("clock.page", "host.home"))
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/other", routes=(
        Route(path="/", view=view), Route(path="/nobody", view=lambda: flask.url_for("nobody.page"))))
""",
    )
    bench.start()

    assert "/clock /clock/later/3#x" in bench.get("/clock/links").text
    assert "/clock /" in bench.get("/other").text
    bench.plugins.lifecycle.disable("clock")
    assert "#off:clock.page /" in bench.get("/other").text
    assert bench.get("/other/nobody").status_code == 502


def test_a_disabled_plugins_pages_are_gone_and_come_back(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()

    bench.plugins.lifecycle.disable("clock")
    gone = bench.get("/clock")
    assert gone.status_code == 404
    assert "<title>" in gone.text
    assert 'href="/clock"' not in gone.text

    bench.plugins.lifecycle.enable("clock")
    assert bench.get("/clock").status_code == 200


def test_the_start_leads_to_the_first_page_or_says_that_there_is_none(bench: Bench) -> None:
    bench.start()
    assert "Nothing here yet" in bench.get("/").text

    bench.write("clock", CLOCK)
    bench.plugins.lifecycle.rescan()

    answer = bench.get("/")
    assert (answer.status_code, answer.location) == (303, "/clock")


def test_until_it_is_ready_pages_reload_themselves(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()
    bench.ready.clear()

    for path in ("/", "/clock", "/anything", "/docs"):
        answer = bench.get(path)
        assert answer.status_code == 503
        assert answer.headers["Refresh"] == "1"
        assert "Loading plugins" in answer.text
    assert bench.get("/healthz").status_code == 200
    assert (bench.get("/readyz").status_code, bench.get("/readyz").text) == (503, "no\n")
    assert bench.get("/api/plugins/manifest").status_code == 200
    bench.ready.set()
    assert (bench.get("/readyz").status_code, bench.get("/readyz").text) == (200, "yes\n")


def test_a_plugin_full_of_requests_asks_to_come_back(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(threads=2)
    bench.write("clock", CLOCK)
    bench.start()
    leave = bench.web.bulkhead.enter("clock")

    page, call = bench.get("/clock"), bench.ask("POST", "/api/plugins/clock/now")

    assert (page.status_code, page.headers["Retry-After"]) == (503, "1")
    assert (call.status_code, call.content_type) == (503, "application/problem+json")
    leave()
    assert bench.get("/clock").status_code == 200
