"""The pages of a plugin that is loaded on demand are in the menu and in the documents, and wake it."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from werkzeug.test import Client

from corehost.cli.building import build_manifest
from tests.web.bench import BASE, TOKEN, Bench

CODE = """
from pathlib import Path
from corehost import *
COUNT = Path({count!r})
with COUNT.open("a") as file:
    file.write("imported\\n")

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"now": Method(handler=lambda input, context: "noon")}})

@hookimpl
def corehost_routes():
    {fault}
    return RoutesSpec(base_path="/lazy", routes=(Route(path="/", view=lambda: "<p>Awake.</p>"),),
                      navigation=(NavigationItem(id="lazy", label="Lazy", path="/lazy"),))
"""
MANIFEST = {
    "id": "lazy",
    "name": "Lazy",
    "version": "1.0.0",
    "description": "",
    "activation": "on-demand",
    "permissions": ["routes:register", "api:expose"],
}


def lay(bench: Bench, *, fault: str = "pass") -> Path:
    """Write the plugin, and return the file in which it notes that it was imported."""
    folder = bench.plugins_folder / "lazy"
    folder.mkdir()
    count = bench.plugins_folder.parent / "count.txt"
    code, manifest = folder / "__init__.py", folder / "manifest.json"
    code.write_text(CODE.format(count=str(count), fault="pass"))
    manifest.write_text(json.dumps(MANIFEST))
    build_manifest(folder)
    code.write_text(CODE.format(count=str(count), fault=fault))
    count.unlink()
    return count


def test_it_is_in_menu_and_documents_before_its_code_is_imported(bench: Bench) -> None:
    count = lay(bench)
    bench.write("other", PAGE)
    bench.start()

    assert "Lazy" in bench.get("/other").text
    assert "/api/plugins/lazy/now" in json.loads(bench.get("/api/openapi.json").text)["paths"]
    assert "Lazy" in bench.get("/docs").text
    listed = {item["id"]: item for item in json.loads(bench.get("/api/plugins/manifest").text)["items"]}
    assert (listed["lazy"]["status"], listed["lazy"]["loaded"]) == ("enabled", False)
    assert not count.exists()


PAGE = """
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/other", routes=(Route(path="/", view=lambda: "<p>Other.</p>"),))
"""


def test_of_fifty_first_requests_each_is_served_or_told_to_come_again_and_it_is_loaded_once(bench: Bench) -> None:
    count = lay(bench)
    bench.start()

    def ask(_: int) -> tuple[int, bool]:
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
        answer = Client(bench.web.wsgi).get("/lazy", base_url=BASE, headers=headers, buffered=True)
        return answer.status_code, "Retry-After" in answer.headers

    with ThreadPoolExecutor(50) as pool:
        answers = Counter(pool.map(ask, range(50)))

    assert answers[200, False] > 0
    assert set(answers) <= {(200, False), (503, True)}
    assert count.read_text() == "imported\n"
    assert "Awake." in bench.get("/lazy").text


def test_one_that_cannot_be_loaded_answers_with_the_reason_and_is_an_error(bench: Bench) -> None:
    lay(bench, fault='raise ValueError("no luck")')
    bench.start()

    answer = bench.get("/lazy", headers={"Accept": "application/json"})

    assert (answer.status_code, "no luck" in answer.text) == (502, True)
    assert bench.plugins.registry.get("lazy").status == "error"
    assert bench.get("/lazy").status_code in (404, 409, 503)


def test_its_method_is_called_by_the_api(bench: Bench) -> None:
    lay(bench)
    bench.start()

    assert bench.ask("POST", "/api/plugins/lazy/now", json={}).json == {"result": "noon"}
