from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from tests.web.bench import BASE, CODE, Bench


def enter(bench: Bench, code: str, target: str = "/") -> TestResponse:
    return bench.browse("/signin", method="POST", data={"code": code, "next": target})


def test_a_stranger_is_sent_to_sign_in_and_back(bench: Bench) -> None:
    bench.start()

    sent = bench.browse("/clock?a=1&b=ü x")

    assert sent.status_code == 303
    assert sent.location.startswith("/signin?next=/clock")
    page = bench.browse(sent.location).text
    assert 'name="next" value="/clock?a=1&amp;b=' in page


def test_a_strangers_change_is_sent_to_sign_in_and_not_repeated(bench: Bench) -> None:
    bench.start()

    sent = bench.browse("/clock", method="POST", data={"a": "1"})

    assert (sent.status_code, sent.location) == (303, "/signin")


def test_a_program_that_is_nobody_gets_401(bench: Bench) -> None:
    bench.start()

    answer = bench.browse("/api/plugins/manifest")

    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_looking_at_the_link_uses_nothing_up(bench: Bench) -> None:
    bench.start()
    link = bench.web.sign_in_link(target="/docs")
    assert link == f"{BASE}/signin?code={CODE}&next=/docs"

    for _ in range(3):
        page = bench.browse(link.removeprefix(BASE))
        assert page.status_code == 200
        assert f'value="{CODE}"' in page.text
        assert "Set-Cookie" not in page.headers

    assert enter(bench, CODE).status_code == 303


def test_the_code_signs_in_once(bench: Bench) -> None:
    bench.start()

    first = enter(bench, CODE, "/docs")

    assert (first.status_code, first.location) == (303, "/docs")
    cookie = first.headers["Set-Cookie"]
    assert cookie.startswith("corehost-8620=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert bench.told == [("user:login", "admin")]
    assert bench.browse("/docs").status_code == 200

    second = enter(bench, CODE)
    assert second.status_code == 403
    assert "has been used" in second.text
    assert "corehost-8620=" not in second.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("code", ["", "wrong", CODE + "x", "\ud800".encode("utf-8", "replace").decode()])
def test_another_code_does_not(bench: Bench, code: str) -> None:
    bench.start()

    assert enter(bench, code).status_code == 403
    assert bench.browse("/docs").status_code == 303


def test_a_further_code_is_good_once(bench: Bench) -> None:
    bench.start()
    code = bench.web.new_code()

    assert enter(bench, code).status_code == 303
    assert enter(bench, code).status_code == 403


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/\t/x"]
)
def test_signing_in_leads_nowhere_else(bench: Bench, target: str) -> None:
    bench.start()

    assert enter(bench, CODE, target).location == "/"


def test_signing_out_ends_the_session(bench: Bench) -> None:
    bench.start()
    enter(bench, CODE)
    token = bench.browse("/docs").text.partition('name="csrf-token" content="')[2].partition('"')[0]

    assert bench.browse("/signout", method="POST").status_code == 403
    out = bench.browse("/signout", method="POST", data={"csrf_token": token})

    assert (out.status_code, out.location) == (303, "/signin")
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    assert bench.browse("/docs").status_code == 303
    assert bench.told[-1] == ("user:logout", "admin")


def test_signing_out_is_no_link(bench: Bench) -> None:
    bench.start()
    enter(bench, CODE)

    assert bench.browse("/signout").status_code == 405
    assert bench.browse("/docs").status_code == 200
