from __future__ import annotations

import pytest

from tests.web.bench import Bench

ROUTES = """
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/pics", routes=(Route(path="/", view=lambda: ""),),
                      navigation=(NavigationItem(id="pics", label="Pics", path="/pics", icon="static/mark.svg"),))
"""
FILES = {"static/app.js": "export {}", "static/sub/x.css": "a{}", "static/mark.svg": "<svg/>", "secret.txt": "secret"}
URL = "/static/plugins/pics/1.0.0"


@pytest.fixture
def pics(bench: Bench) -> Bench:
    bench.write_package("pics", ROUTES, FILES)
    return bench.start()


@pytest.mark.parametrize(
    ("path", "kind"), [("app.js", "text/javascript"), ("sub/x.css", "text/css"), ("mark.svg", "image/svg+xml")]
)
def test_files_have_their_types(pics: Bench, path: str, kind: str) -> None:
    answer = pics.get(f"{URL}/{path}")

    assert answer.status_code == 200
    assert answer.content_type.startswith(kind)
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_browser_that_has_the_file_gets_304(pics: Bench) -> None:
    tag = pics.get(f"{URL}/app.js").headers["ETag"]

    assert pics.get(f"{URL}/app.js", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "sub/../../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "nothing.js",
        "sub",
        "../__init__.py",
    ],
)
def test_nothing_outside_of_the_folder_is_served(pics: Bench, path: str) -> None:
    assert pics.get(f"{URL}/{path}").status_code in (400, 404)


def test_a_link_out_of_the_folder_is_not_followed(pics: Bench) -> None:
    folder = pics.plugins_folder / "pics"
    (folder / "static" / "out.txt").symlink_to(folder / "secret.txt")

    assert pics.get(f"{URL}/out.txt").status_code == 404


@pytest.mark.parametrize(
    "url", ["/static/plugins/pics/2.0.0/app.js", "/static/plugins/nobody/1.0.0/app.js", "/static/plugins/pics"]
)
def test_another_version_or_plugin_has_no_files(pics: Bench, url: str) -> None:
    assert pics.get(url).status_code == 404


def test_files_of_plugins_are_for_signed_in_users_and_go_with_the_plugin(pics: Bench) -> None:
    assert pics.browse(f"{URL}/app.js").status_code == 303

    pics.plugins.lifecycle.disable("pics")

    assert pics.get(f"{URL}/app.js").status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/corehost/corehost.css", "/static/corehost/theme.js", "/bootstrap/static/css/bootstrap.min.css"]
)
def test_the_hosts_own_files_are_for_everyone(pics: Bench, path: str) -> None:
    assert pics.browse(path).status_code == 200


def test_an_icon_that_is_a_file_becomes_its_address(pics: Bench) -> None:
    assert f'src="{URL}/mark.svg"' in pics.get("/pics").text
