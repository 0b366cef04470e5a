"""An isolated plugin's pages are shown, and nothing of them reaches beyond its frame."""

from __future__ import annotations

import html
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from corehost.host import Host
from corehost.plugins.options import PluginOptions
from corehost.settings import Settings

TOKEN = "a-token-for-this-test-only"
PLUGINS = Path(__file__).parent / "plugins"


class Visitor:
    def __init__(self, folder: Path) -> None:
        plugins = folder / "plugins"
        shutil.copytree(PLUGINS / "site", plugins / "site")
        options = PluginOptions(folders=(plugins,), builtin_package=None, entry_points=False, scan_seconds=0)
        self.host = Host(Settings(data_dir=folder / "data", token=TOKEN), options=options)
        self.host.start()
        self._client = Client(self.host.wsgi, TestResponse, use_cookies=False)

    def get(self, path: str, method: str = "GET", **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
        return self._client.open(
            path, method=method, base_url="http://127.0.0.1:8620", headers=headers, buffered=True, **options
        )


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    made = Visitor(tmp_path_factory.mktemp("site"))
    yield made
    made.host.stop()


def framed(answer: TestResponse) -> str:
    """Return the page inside of the frame."""
    found = re.search(r'<iframe [^>]*srcdoc="([^"]*)"', answer.text)
    assert found, answer.text
    return html.unescape(found[1])


def test_it_runs_in_a_process_of_its_own_because_its_manifest_says_so(visitor: Visitor) -> None:
    line = visitor.host.registry.get("site").line

    assert line is not None
    assert line.process.pid != os.getpid()


def test_html_is_shown_in_a_frame_of_no_origin_inside_of_the_shell(visitor: Visitor) -> None:
    answer = visitor.get("/site")
    sandbox = re.search(r'<iframe [^>]*sandbox="([^"]*)"', answer.text)

    assert answer.status_code == 200
    assert '<h1>Home</h1><script src="/x.js"></script>' in framed(answer)
    assert "<h1>Home</h1>" not in answer.text, "only inside of the frame, escaped"
    assert sandbox
    assert "allow-same-origin" not in sandbox[1]
    assert "allow-top-navigation " not in f"{sandbox[1]} "


def test_templates_and_layouts_are_rendered_there(visitor: Visitor) -> None:
    assert "<main>Hello &lt;b&gt;admin" in framed(visitor.get("/site/templated"))


def test_neither_cookie_nor_authorization_reaches_the_plugin(visitor: Visitor) -> None:
    headers = {
        "Cookie": "corehost_session=secret; other=1",
        "X-CSRF-Token": "secret",
        "X-Forwarded-For": "1.2.3.4",
        "Proxy-Authorization": "secret",
        "Accept-Language": "eo",
    }
    sent = visitor.get("/site/sent", headers=headers).get_json()

    assert set(sent["environ"]) <= {"HTTP_HOST", "HTTP_ACCEPT_LANGUAGE", "HTTP_USER_AGENT"}
    assert "secret" not in str(sent)
    assert TOKEN not in str(sent)
    assert sent["headers"]["Accept-Language"] == "eo"
    assert sent["user"] == "admin", "who is behind a page is the host's word"


def test_without_the_grant_it_is_not_told_who_asks(visitor: Visitor) -> None:
    def decide(is_granted: bool) -> None:
        grants = {"grants": {"user:read": is_granted}}
        assert visitor.get("/api/plugins/site/grants", method="PUT", json=grants).status_code == 200

    decide(False)
    assert "admin" not in framed(visitor.get("/site/templated"))

    decide(True)
    assert "admin" in framed(visitor.get("/site/templated"))


def test_a_body_arrives(visitor: Visitor) -> None:
    sent = visitor.get("/site/sent", method="POST", data=b"x" * 300_000)

    assert sent.get_json()["body"] == "x" * 300_000


def test_no_header_by_which_browsers_would_obey_the_plugin_comes_back(visitor: Visitor) -> None:
    answer = visitor.get("/site/hostile")
    policies = answer.headers.getlist("Content-Security-Policy")

    assert answer.get_json() == {}
    assert "sandbox" in policies
    assert not any("*" in policy for policy in policies)
    for name in ("Set-Cookie", "Access-Control-Allow-Origin", "Clear-Site-Data", "Service-Worker-Allowed"):
        assert name not in answer.headers
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("where", ["out", "slashes"])
def test_no_redirect_leaves_the_host(visitor: Visitor, where: str) -> None:
    answer = visitor.get(f"/site/away/{where}")

    assert "evil.example" not in answer.headers.get("Location", "")


def test_a_redirect_on_the_host_is_followed(visitor: Visitor) -> None:
    assert visitor.get("/site/away/in").headers["Location"] == "/site"


def test_a_long_answer_comes_whole(visitor: Visitor) -> None:
    assert len(visitor.get("/site/stream").data) == 3_000_000


def test_a_page_that_raises_is_charged_and_shown_as_a_failure(visitor: Visitor) -> None:
    before = visitor.host.faults.summary("site")["errors"].get("route", 0)
    answer = visitor.get("/site/broken")

    assert answer.status_code == 502
    assert visitor.host.faults.summary("site")["errors"]["route"] == before + 1


def test_an_abort_is_an_answer(visitor: Visitor) -> None:
    answer = visitor.get("/site/teapot", headers={"Accept": "application/json"})

    assert (answer.status_code, answer.get_json()["detail"]) == (418, "short and stout")


def test_guards_are_asked_there_and_permissions_here(visitor: Visitor) -> None:
    assert visitor.get("/site/guarded").headers["Location"] == "/site"
    assert "Home" in framed(visitor.get("/site/guarded?key=open"))
    assert visitor.get("/site/refused").status_code == 403
    assert visitor.get("/site/secret").status_code == 200, "the administrator may"


def test_who_is_not_signed_in_reaches_no_page(visitor: Visitor) -> None:
    answer = visitor.get("/site/sent", headers={"Authorization": "", "Accept": "application/json"})

    assert answer.status_code == 401


def test_a_ready_blueprint_is_served(visitor: Visitor) -> None:
    assert visitor.get("/site/ready/Ada").get_json() == {"hello": "Ada"}
    assert visitor.get("/site/nothing").status_code == 404


def test_static_files_are_served_by_the_host(visitor: Visitor) -> None:
    assert visitor.get("/static/plugins/site/1.0.0/site.css").status_code == 200


def test_routes_can_be_added_while_it_runs(visitor: Visitor) -> None:
    assert visitor.get("/api/plugins/site/add", method="POST", json={}).status_code == 200
    assert "added" in framed(visitor.get("/site/added"))


def test_the_templates_of_an_isolated_plugin_are_never_rendered_in_the_host(visitor: Visitor) -> None:
    assert visitor.host.web.site.folder_of("site") is None
