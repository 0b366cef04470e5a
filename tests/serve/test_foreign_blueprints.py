"""Blueprints that nobody here wrote run as plugins of a few lines, and come and go while the host serves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from fakeredis import TcpFakeServer

from tests.serve.kit import Served, until

EXPLORER = """
from flask_swagger_ui import get_swaggerui_blueprint
from corehost import Manifest, RoutesSpec, hookimpl
@hookimpl
def corehost_manifest():
    return Manifest(id="explorer", name="API", version="1.0.0", description="Try it.", permissions=("routes:register",))
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/explorer", blueprint=get_swaggerui_blueprint("/explorer", "/api/openapi.json"))
""".strip()
JOBS = """
import importlib, corehost, rq_dashboard
@corehost.hookimpl
def corehost_routes():
    web = importlib.reload(rq_dashboard.web)  # a blueprint takes no more settings once it was in use
    web.blueprint.record(lambda state: state.app.config.from_object("rq_dashboard.default_settings"))
    web.blueprint.record(lambda state: web.setup_rq_connection(state.app))
    return corehost.RoutesSpec(base_path="/jobs", blueprint=web.blueprint)
""".strip()
JOBS_MANIFEST = {
    "id": "jobs",
    "name": "Jobs",
    "version": "1.0.0",
    "description": "RQ's queues.",
    "permissions": ["routes:register"],
}


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """Give the address of a server that speaks Redis' protocol over TCP."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, redis: str) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("foreign") / "data"
    (folder / "plugins" / "jobs").mkdir(parents=True)
    (folder / "plugins" / "explorer.py").write_text(EXPLORER, encoding="utf-8")
    address = f"state.app.config.update(RQ_DASHBOARD_REDIS_URL={redis!r})"
    code = JOBS.replace("web.setup_rq", f"{address} or web.setup_rq")  # where this test's server listens
    (folder / "plugins" / "jobs" / "__init__.py").write_text(code, encoding="utf-8")
    (folder / "plugins" / "jobs" / "manifest.json").write_text(json.dumps(JOBS_MANIFEST), encoding="utf-8")
    served = Served(folder)
    try:
        yield served.ready()
    finally:
        served.kill()


@pytest.mark.parametrize("code", [EXPLORER, JOBS])
def test_the_plugin_has_fewer_than_ten_lines(code: str) -> None:
    assert len(code.splitlines()) < 10


@pytest.mark.parametrize(
    ("plugin", "page", "asset", "shows"),
    [
        ("explorer", "/explorer/", "/explorer/swagger-ui.css", "swagger-ui"),
        ("jobs", "/jobs/", "/jobs/static/css/main.css", "RQ"),
    ],
)
def test_the_blueprint_comes_and_goes_live(host: Served, plugin: str, page: str, asset: str, shows: str) -> None:
    assert host.status(plugin) == "enabled", host.get(f"/api/plugins/{plugin}").text
    for _ in range(2):
        assert shows in host.get(page).text
        assert host.get(asset).status == 200
        assert host.switch(plugin, "disabled").status == 200
        assert host.get(page).status == 404
        assert host.switch(plugin, "enabled").status == 200
    until(lambda: host.get(page).status == 200, "the page there again")


def test_the_job_dashboard_shows_what_is_in_redis(host: Served) -> None:
    answer = host.get("/jobs/0/data/queues.json")

    assert answer.status == 200, answer.text
    assert answer.json()["queues"] == []
