from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.errors import MalformedError
from corehost.web.paths import first_segment, is_below, local_target, normal_path


@pytest.mark.parametrize(
    ("given_path", "normal"),
    [
        ("/", "/"),
        ("", "/"),
        ("/clock", "/clock"),
        ("/clock/", "/clock"),
        ("//clock///now//", "/clock/now"),
        ("/Clock", "/Clock"),
        ("/clock;x=1", "/clock;x=1"),
        ("/files/...", "/files/..."),
    ],
)
def test_a_path_has_one_normal_form(given_path: str, normal: str) -> None:
    assert normal_path(given_path, given_path) == normal


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/a/../b", "/a/../b"),
        ("/a/..", "/a/%2e%2e"),
        ("/./a", "/./a"),
        ("/a/..;x/b", "/a/..;x/b"),
        ("/static/corehost/../api", "/static/corehost/..%2fapi"),
        ("/a/b", "/a%2Fb"),
        ("/a\\b", "/a%5cb"),
        ("/a\\b", "/a\\b"),
        ("/a\x00b", "/a%00b"),
        ("/a\nb", "/a%0ab"),
        ("/a\xffb", "/a%ffb"),
    ],
)
def test_a_path_that_two_readers_could_understand_differently_is_refused(path: str, raw: str) -> None:
    with pytest.raises(MalformedError):
        normal_path(path, raw)


def test_an_encoded_slash_in_the_query_is_nobodys_business() -> None:
    assert normal_path("/a", "/a?next=%2Fclock") == "/a"


@given(st.text(max_size=60))
def test_the_normal_form_is_stable(text: str) -> None:
    raw = "/" + text.encode("utf-8", "ignore").decode("latin-1")
    try:
        path = normal_path(raw, "/x")
    except MalformedError:
        return
    assert normal_path(path, "/x") == path
    assert path.startswith("/")
    assert path == "/" or not path.endswith("/")


def test_a_base_path_ends_on_a_segments_border() -> None:
    assert is_below("/clock", "/clock")
    assert is_below("/clock/now", "/clock")
    assert not is_below("/clockwork", "/clock")
    assert first_segment("/clock/now") == "clock"


@pytest.mark.parametrize("target", ["/", "/clock", "/clock?a=1&b=2", "/a#part"])
def test_a_target_on_this_host_is_kept(target: str) -> None:
    assert local_target(target) == target


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "clock",
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/" + "a" * 3000,
    ],
)
def test_a_target_that_leaves_this_host_becomes_the_start(target: str | None) -> None:
    assert local_target(target) == "/"
