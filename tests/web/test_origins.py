from __future__ import annotations

import pytest

from corehost.web.origins import EdgeAddress, Origins

LOOPBACK = EdgeAddress(host="127.0.0.1", port=8620)
PUBLIC = EdgeAddress(
    host="0.0.0.0", port=8620, public_url="https://host.example", allowed_hosts=("inner.example", "other:9000")
)


@pytest.mark.parametrize("host", ["localhost:8620", "127.0.0.1:8620", "[::1]:8620", "LOCALHOST:8620"])
def test_loopback_names_with_our_port_are_ours(host: str) -> None:
    assert Origins(LOOPBACK).knows(host)


@pytest.mark.parametrize(
    "host",
    ["", "localhost", "localhost:80", "evil.example", "evil.example:8620", "127.0.0.1:8621", "localhost:8620.evil"],
)
def test_other_names_are_not(host: str) -> None:
    assert not Origins(LOOPBACK).knows(host)


@pytest.mark.parametrize(
    "host", ["host.example", "host.example:443", "inner.example", "inner.example:8620", "other:9000", "localhost:8620"]
)
def test_the_public_name_and_allowed_ones_are_ours(host: str) -> None:
    assert Origins(PUBLIC).knows(host)


def test_an_allowed_name_with_a_port_holds_for_that_port_only() -> None:
    assert not Origins(PUBLIC).knows("other:9001")


def test_on_port_80_browsers_leave_the_port_out() -> None:
    origins = Origins(EdgeAddress(host="127.0.0.1", port=80))

    assert origins.knows("localhost")
    assert origins.knows("localhost:80")
    assert origins.owns("http://localhost")


def test_an_origin_is_ours_by_scheme_name_and_port() -> None:
    origins = Origins(PUBLIC)

    assert origins.owns("https://host.example")
    assert origins.owns("http://localhost:8620")
    assert not origins.owns("http://host.example")
    assert not origins.owns("https://host.example:8620")
    assert not origins.owns("http://localhost:3000")
    assert not origins.owns("null")


def test_only_an_https_public_url_is_secure() -> None:
    assert Origins(PUBLIC).is_secure("host.example")
    assert not Origins(PUBLIC).is_secure("localhost:8620")
    assert not Origins(EdgeAddress(host="0.0.0.0", port=80, public_url="http://host.example")).is_secure("host.example")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (LOOPBACK, "http://127.0.0.1:8620"),
        (PUBLIC, "https://host.example"),
        (EdgeAddress(host="::1", port=8620), "http://[::1]:8620"),
        (EdgeAddress(host="0.0.0.0", port=80, public_url=None), "http://localhost"),
    ],
)
def test_people_are_shown_an_address_that_works(address: EdgeAddress, url: str) -> None:
    assert address.base_url == url
