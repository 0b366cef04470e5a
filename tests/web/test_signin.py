from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from corehost import PermissionSet, UserContext
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


PASSWORD = "correct horse battery"
ROOT = UserContext(id="admin", permissions=PermissionSet({"*"}))


def form_token(page: TestResponse) -> str:
    form = page.text.partition('class="signin-form"')[2]  # the shell has one more, to sign out
    return form.partition('name="csrf_token" value="')[2].partition('"')[0]


def enter_by_password(bench: Bench, name: str, password: str, **options: Any) -> TestResponse:
    token = form_token(bench.browse("/signin"))
    data = {"name": name, "password": password, "csrf_token": token, "next": "/docs"}
    return bench.browse("/signin", method="POST", data=data, **options)


@pytest.fixture
def home(bench: Bench) -> Bench:
    """A host that knows Ann, with a limit that no test but one reaches."""
    bench.start()
    bench.database.people.add(ROOT, "ann", password=PASSWORD, roles=["member"])
    return bench


def test_name_and_password_sign_in(home: Bench) -> None:
    answer = enter_by_password(home, "Ann", PASSWORD, environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert (answer.status_code, answer.location) == (303, "/docs")
    assert home.told == [("user:login", "ann")]
    assert "ann" in home.browse("/docs").text
    (session,) = home.database.people.sessions("ann")
    assert session.address == "192.0.2.7"


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(home: Bench) -> None:
    pages = []
    for name in ("ann", "nob"):
        answer = enter_by_password(home, name, "wrong")
        pages.append((answer.status_code, answer.text.replace(name, "NAME").replace(form_token(answer), "")))
    assert pages[0] == pages[1]
    assert pages[0][0] == 403
    assert home.told == []
    assert home.browse("/docs").status_code == 303


@pytest.mark.parametrize("sent", ["", "wrong", "ü"])
def test_the_password_form_needs_the_token_of_its_browser(home: Bench, sent: str) -> None:
    home.browse("/signin")
    answer = home.browse("/signin", method="POST", data={"name": "ann", "password": PASSWORD, "csrf_token": sent})
    assert answer.status_code == 403
    assert home.told == []


def test_the_token_of_another_browser_signs_nobody_in(home: Bench) -> None:
    token = form_token(home.browse("/signin"))
    home.client.delete_cookie("corehost-signin-8620", domain="127.0.0.1")
    answer = home.browse("/signin", method="POST", data={"name": "ann", "password": PASSWORD, "csrf_token": token})
    assert answer.status_code == 403


def test_another_sites_page_signs_nobody_in(home: Bench) -> None:
    evil = {"Origin": "https://evil.example"}
    assert enter_by_password(home, "ann", PASSWORD, headers=evil).status_code == 403
    code = home.web.new_code("ann")
    assert home.browse("/signin", method="POST", data={"code": code}, headers=evil).status_code == 403
    silent = {"Sec-Fetch-Site": "cross-site"}
    assert home.browse("/signin", method="POST", data={"code": code}, headers=silent).status_code == 403
    assert home.told == []
    assert enter(home, code).status_code == 303


def test_guessing_is_slowed_down(home: Bench) -> None:
    statuses = [enter_by_password(home, "ann", f"wrong {number}").status_code for number in range(11)]
    assert statuses == [403] * 10 + [429]

    answer = enter_by_password(home, "ann", PASSWORD)

    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert "Try again in" in answer.text
    assert home.told == []
    assert enter(home, home.web.new_code("ann")).status_code == 303  # the operator's way in is not closed


def test_a_link_signs_in_whom_it_was_made_for(home: Bench) -> None:
    code = home.web.new_code("ann")
    assert "ann" in home.browse(f"/signin?code={code}").text
    assert enter(home, code).status_code == 303
    assert home.told == [("user:login", "ann")]


def test_a_link_of_somebody_disabled_signs_nobody_in(home: Bench) -> None:
    code = home.web.new_code("ann")
    home.database.people.set_disabled(ROOT, "ann", True)
    assert enter(home, code).status_code == 403
    assert home.told == []


def test_signing_in_gives_a_new_session_and_ends_the_one_before(home: Bench) -> None:
    enter_by_password(home, "ann", PASSWORD)
    before = [session.id for session in home.database.people.sessions("ann")]
    enter_by_password(home, "ann", PASSWORD)
    after = [session.id for session in home.database.people.sessions("ann")]
    assert len(before) == len(after) == 1
    assert before != after


def test_a_disabled_user_is_out_at_once(home: Bench) -> None:
    enter_by_password(home, "ann", PASSWORD)
    assert home.browse("/docs").status_code == 200
    home.database.people.set_disabled(ROOT, "ann", True)
    assert home.browse("/docs").status_code == 303


def test_sign_ins_are_in_the_audit_log(home: Bench) -> None:
    enter_by_password(home, "ann", "wrong")
    enter_by_password(home, "ann", PASSWORD)
    home.database.audit.record("test:end", actor="core")  # what was noted before is written before

    entries = home.database.audit.read(action="user:sign-in")

    assert {(entry.actor, entry.subject, entry.outcome) for entry in entries} == {
        ("anonymous", "user:ann", "refused"),
        ("user:ann", "user:ann", "done"),
    }
    assert PASSWORD not in str(entries)
