"""Only a proxy that the operator trusts is believed what it says of the visitor."""

from __future__ import annotations

from typing import Any

import pytest

from corehost.web.proxies import TrustedProxies

PROXY, VISITOR = "10.0.0.1", "203.0.113.9"


def after(trusted: tuple[str, ...], peer: str = PROXY, **headers: str) -> dict[str, Any]:
    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "127.0.0.1:8620", "wsgi.url_scheme": "http"}
    environ |= {f"HTTP_{name}": value for name, value in headers.items()}
    TrustedProxies(trusted).apply(environ)
    return environ


def test_nobody_is_believed_unless_the_operator_says_so() -> None:
    environ = after((), X_FORWARDED_FOR=VISITOR, X_FORWARDED_PROTO="https", X_FORWARDED_HOST="evil.example")

    assert environ == {"REMOTE_ADDR": PROXY, "HTTP_HOST": "127.0.0.1:8620", "wsgi.url_scheme": "http"}


@pytest.mark.parametrize(
    "name",
    ["X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PREFIX", "X_FORWARDED_SSL", "FORWARDED", "X_REAL_IP", "VIA"],
)
def test_what_a_stranger_says_of_itself_does_not_even_reach_the_plugins(name: str) -> None:
    assert f"HTTP_{name}" not in after(("192.0.2.1",), **{name: "x"})


@pytest.mark.parametrize("trusted", [("10.0.0.1",), ("10.0.0.0/8",), ("192.0.2.1", "10.0.0.0/8")])
def test_a_trusted_proxy_names_the_visitor(trusted: tuple[str, ...]) -> None:
    environ = after(trusted, X_FORWARDED_FOR=VISITOR, X_FORWARDED_PROTO="https", X_FORWARDED_HOST="host.example")

    assert environ == {"REMOTE_ADDR": VISITOR, "HTTP_HOST": "host.example", "wsgi.url_scheme": "https"}


@pytest.mark.parametrize(
    ("chain", "visitor"),
    [
        (f"127.0.0.1, {VISITOR}", VISITOR),
        (f"10.0.0.7, {VISITOR}, 10.0.0.2", VISITOR),
        ("10.0.0.7, 10.0.0.2", "10.0.0.7"),
        (f"{VISITOR}, nonsense", PROXY),
        (f"{VISITOR}, nonsense, 10.0.0.2", "10.0.0.2"),
        ("", PROXY),
        (",,,", PROXY),
        ("[2001:db8::5]", "2001:db8::5"),
        ("::ffff:203.0.113.9", VISITOR),
    ],
)
def test_of_a_chain_the_last_that_is_not_trusted_counts(chain: str, visitor: str) -> None:
    assert after(("10.0.0.0/8",), X_FORWARDED_FOR=chain)["REMOTE_ADDR"] == visitor


@pytest.mark.parametrize("scheme", ["javascript", "", "ftp", "https\r\nX: 1"])
def test_no_other_scheme_is_taken(scheme: str) -> None:
    assert after((PROXY,), X_FORWARDED_PROTO=scheme)["wsgi.url_scheme"] == "http"


def test_the_proxys_own_word_is_the_last_of_a_list() -> None:
    environ = after((PROXY,), X_FORWARDED_PROTO="https, http", X_FORWARDED_HOST="evil.example, host.example")

    assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("http", "host.example")


@pytest.mark.parametrize("peer", ["", "unix:", "10.0.0.1.evil", "11.0.0.1"])
def test_whoever_is_not_in_the_list_is_nobody(peer: str) -> None:
    assert after(("10.0.0.0/8",), peer, X_FORWARDED_FOR=VISITOR)["REMOTE_ADDR"] == peer
