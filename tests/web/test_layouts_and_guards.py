from __future__ import annotations

from tests.web.bench import Bench

TREE = """
def allows(context):
    return context.search_params.get("word") == ("open", "sesame")

async def allows_later(context):
    return context.params["id"] == "1"

def explodes(context):
    raise RuntimeError("guard")

def card():
    return page("card.html", word="<hello>")

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/tree", routes=(
        Route(path="/", view=card, layout="outer.html", meta=RouteMeta(title="Tree"), children=(
            Route(path="/leaf", view=lambda: "leaf", layout="inner.html"),
        )),
        Route(path="/broken", view=lambda: "x", layout="broken.html"),
        Route(path="/guarded", view=lambda: "inside", guards=(Guard(can_activate=allows, redirect_to="/tree"),)),
        Route(path="/forbidden/:id", view=lambda id: "inside", guards=(Guard(can_activate=allows_later),)),
        Route(path="/round", view=lambda: "x", guards=(Guard(can_activate=allows, redirect_to="/tree/round"),)),
        Route(path="/explodes", view=lambda: "x", guards=(Guard(can_activate=explodes),)),
        Route(path="/user", view=lambda: "inside", guards=(Guard(can_activate=lambda c: c.user is not None),)),
        Route(path="/template", view=lambda: page("globals.html")),
    ))
"""
FILES = {
    "templates/card.html": "<b>{{ word }}</b>",
    "templates/outer.html": "<div class=outer>{{ content }}|{{ title }}</div>",
    "templates/inner.html": "<div class=inner>{{ content }}</div>",
    "templates/broken.html": "{{ nothing.at.all }}",
    "templates/globals.html": "{{ csrf_token }}|{{ plugin }}|{{ static_url('a b.js') }}|{{ user }}|"
    "{{ corehost_version }}",
}


def test_a_page_goes_into_its_layout_into_its_parents_into_the_shell(bench: Bench) -> None:
    bench.write_package("tree", TREE, FILES)
    bench.start()

    assert "<div class=outer><b>&lt;hello&gt;</b>|Tree</div>" in bench.get("/tree").text
    leaf = bench.get("/tree/leaf").text
    assert "<div class=outer><div class=inner>leaf</div>|" in leaf
    assert leaf.startswith("<!doctype html>")


def test_a_layout_that_fails_is_the_plugins_fault(bench: Bench) -> None:
    bench.write_package("tree", TREE, FILES)
    bench.start()

    assert bench.get("/tree/broken").status_code == 502
    assert bench.errors("tree") == {"route": 1}


def test_a_guard_lets_in_or_sends_elsewhere_or_forbids(bench: Bench) -> None:
    bench.write_package("tree", TREE, FILES)
    bench.start()

    assert "inside" in bench.get("/tree/guarded?word=open&word=sesame").text
    refused = bench.get("/tree/guarded")
    assert (refused.status_code, refused.location) == (303, "/tree")
    assert bench.get("/tree/forbidden/1").status_code == 200
    assert bench.get("/tree/forbidden/2").status_code == 403
    assert bench.errors("tree") == {}


def test_a_guard_cannot_send_round_and_round(bench: Bench) -> None:
    bench.write_package("tree", TREE, FILES)
    bench.start()

    assert bench.get("/tree/round").status_code == 403


def test_a_guard_that_raises_keeps_the_page_shut_and_is_charged(bench: Bench) -> None:
    bench.write_package("tree", TREE, FILES)
    bench.start()

    assert bench.get("/tree/explodes").status_code == 502
    assert bench.errors("tree") == {"route": 1}


def test_guards_and_templates_see_the_user_only_with_the_permission(bench: Bench) -> None:
    bench.write_package("tree", TREE, FILES)
    bench.start()
    assert bench.get("/tree/user").status_code == 403
    assert "|None|" in bench.get("/tree/template").text

    bench.plugins.lifecycle.unregister("tree")
    bench.write_package("tree", TREE, FILES, more='"user:read"')
    bench.plugins.lifecycle.rescan()

    assert bench.get("/tree/user").status_code == 200
    assert "admin" in bench.get("/tree/template").text


def test_a_template_knows_its_plugin_token_and_files(bench: Bench) -> None:
    bench.write_package("tree", TREE, FILES)
    bench.start()
    bench.sign_in()

    page = bench.browse("/tree/template").text

    token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
    assert f"{token}|tree|/static/plugins/tree/1.0.0/a%20b.js|None|0." in page


LIBRARY = """
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/library", routes=(Route(path="/", view=lambda: page("own.html")),))
@hookimpl
def corehost_template_context(user):
    return {"shell": "library/frame.html", "brand": f"Brand of {user.id}"}
"""
READER = """
@hookimpl
def corehost_manifest():
    return Manifest(id="reader", name="Reader", version="1.0.0", description="d", permissions=("routes:register",),
                    dependencies=(PluginDependency(plugin_id="library", version="^1.0.0"),))
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/reader", routes=(Route(path="/", view=lambda: page("uses.html")),))
"""
FRAME = "{% from 'parts.html' import mark %}<html>{{ mark(brand) }}{{ title }}|{{ plugin }}|{{ content }}</html>"


def test_a_plugin_may_give_the_shell_and_others_its_macros(bench: Bench) -> None:
    parts = {"templates/parts.html": "{% macro mark(x) %}<i>{{ x }}</i>{% endmacro %}", "templates/frame.html": FRAME}
    bench.write_package("library", LIBRARY, {**parts, "templates/own.html": "own"})
    uses = "{% from 'library/parts.html' import mark %}{{ mark('me') }}"
    bench.write_package("reader", READER, {"templates/uses.html": uses})
    bench.start()

    assert bench.get("/library").text == "<html><i>Brand of admin</i>Library|library|own</html>"
    assert bench.get("/reader").text == "<html><i>Brand of admin</i>Reader|reader|<i>me</i></html>"
    assert bench.get("/nowhere").text.startswith("<html><i>")


def test_templates_of_a_plugin_that_is_no_dependency_are_not_found(bench: Bench) -> None:
    bench.write_package("library", LIBRARY.replace("shell", "shall"), {"templates/own.html": "own"})
    code = READER.replace('dependencies=(PluginDependency(plugin_id="library", version="^1.0.0"),)', "")
    bench.write_package("reader", code, {"templates/uses.html": "{% include 'library/own.html' %}"})
    bench.start()

    assert bench.get("/reader").status_code == 502


def test_a_shell_that_fails_is_charged_and_the_bare_one_stands_in(bench: Bench) -> None:
    bench.write_package("library", LIBRARY, {"templates/own.html": "own", "templates/frame.html": "{{ 1 / 0 }}"})
    bench.start()

    answer = bench.get("/library")

    assert answer.status_code == 200
    assert "own" in answer.text
    assert 'class="skip-link"' in answer.text
    assert bench.errors("library") == {"route": 1}


def test_strangers_see_the_bare_shell(bench: Bench) -> None:
    bench.write_package("library", LIBRARY, {"templates/own.html": "own", "templates/frame.html": "framed"})
    bench.start()

    assert 'class="skip-link"' in bench.browse("/signin").text
    assert bench.errors("library") == {}
