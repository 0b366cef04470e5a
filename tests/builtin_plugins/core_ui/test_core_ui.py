from __future__ import annotations

import pytest

from corehost import InvalidError, PermissionSet, UserContext
from corehost.testing import HostFactory, MemoryHost, Messages

ADA = UserContext(id="ada", permissions=PermissionSet({"plugin:core-ui:use"}))


@pytest.fixture
def host(corehost_host: HostFactory) -> MemoryHost:
    return corehost_host("core-ui")


def test_the_shell_stands_around_pages_and_follows_the_device_until_told_otherwise(host: MemoryHost) -> None:
    page = host.get("/core-ui/components").text

    assert 'data-theme="auto"' in page
    assert "<title>Components · corehost</title>" in page
    assert '<meta name="csrf-token" content="' in page
    assert 'id="navigation"' in page


def test_a_chosen_theme_is_kept_and_told_to_the_users_pages(host: MemoryHost, messages: Messages) -> None:
    host.call("core-ui", "setTheme", {"theme": "dark"}, user=ADA)

    assert host.call("core-ui", "getTheme", {}, user=ADA) == {"theme": "dark"}
    assert messages.wait_for("core-ui:theme:changed").payload == {"user": "ada", "theme": "dark"}


def test_a_theme_is_for_its_user_alone(host: MemoryHost) -> None:
    host.call("core-ui", "setTheme", {"theme": "dark"}, user=ADA)

    other = UserContext(id="bob", permissions=ADA.permissions)
    assert host.call("core-ui", "getTheme", {}, user=other) == {"theme": "auto"}


def test_the_server_renders_the_chosen_theme_so_that_nothing_flashes(host: MemoryHost) -> None:
    answer = host.post("/api/plugins/core-ui/setTheme", json={"theme": "dark"})

    assert answer.status_code == 200
    assert 'data-bs-theme="dark" data-theme="dark"' in host.get("/core-ui/components").text


@pytest.mark.parametrize("bad", [{"theme": "sepia"}, {}, {"theme": "dark", "more": 1}, None])
def test_an_unknown_theme_is_refused(host: MemoryHost, bad: object) -> None:
    with pytest.raises(InvalidError):
        host.call("core-ui", "setTheme", bad, user=ADA)


def test_nobody_has_no_theme(host: MemoryHost) -> None:
    with pytest.raises(InvalidError, match="Sign in first"):
        host.call("core-ui", "setTheme", {"theme": "dark"})


def test_brand_and_accent_apply_live(host: MemoryHost) -> None:
    host.host.plugins.config.set("core-ui", {"brand": "Fleet", "accent": "violet"}, user=ROOT)
    host.bus.drain()

    assert host.store("core-ui", "look") == {"brand": "Fleet", "accent": "violet"}
    page = host.get("/core-ui/components").text
    assert 'data-accent="violet"' in page
    assert "Components · Fleet" in page


ROOT = UserContext(id="root", permissions=PermissionSet({"*"}))


def test_the_menu_is_served_alone_with_the_page_marked(corehost_host: HostFactory) -> None:
    host = corehost_host("core-ui", "settings")

    menu = host.get("/core-ui/navigation?path=/settings/appearance").text

    assert "<html" not in menu
    assert 'href="/settings/appearance" aria-current="page"' in menu


def test_the_menu_follows_plugins_as_they_go(corehost_host: HostFactory) -> None:
    host = corehost_host("core-ui", "settings")

    host.disable("settings")

    assert "No pages yet" in host.get("/core-ui/navigation").text


def test_without_the_shell_pages_are_laid_out_bare(host: MemoryHost) -> None:
    host.disable("core-ui")

    assert host.get("/core-ui/components").status_code == 404
    assert "data-accent" not in host.get("/docs").text


def test_it_works_again_when_it_is_enabled_again(host: MemoryHost) -> None:
    host.disable("core-ui")
    host.enable("core-ui")

    assert 'data-theme="auto"' in host.get("/core-ui/components").text
    assert host.call("core-ui", "getTheme", {}, user=ADA) == {"theme": "auto"}
