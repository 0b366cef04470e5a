"""Permissions, versions, signals and hooks: the small words of the contract."""

from __future__ import annotations

import inspect
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost import PermissionSet, Signal
from corehost.contract import hookspecs
from corehost.contract.errors import AbortedError, Fault, InvalidError
from corehost.contract.permissions import manage_of, use_of
from corehost.contract.versions import range_fault, satisfies, version_fault

WORDS = st.from_regex(r"[a-z]{1,4}(:[a-z]{1,4}){0,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("held", "asked", "covered"),
    [
        ("*", "anything:at:all", True),
        ("plugin:clock:use", "plugin:clock:use", True),
        ("plugin:clock:use", "plugin:clock:manage", False),
        ("plugin:clock:*", "plugin:clock:manage", True),
        ("plugin:clock:*", "plugin:clockwork:use", False),
        ("plugin:*", "plugin:clock:use", True),
        ("plugin:clock:*", "plugin:clock", False),
        ("plugin:clock:use", "plugin:clock:*", False),
        ("plugin:*:use", "plugin:clock:use", True),
        ("plugin:*:use", "plugin:clock:manage", False),
        ("plugin:*:use", "plugin:clock:deep:use", False),
        ("plugin:*:use", "plugin:use", False),
        ("plugin:*", "*", False),
    ],
)
def test_what_a_permission_covers(held: str, asked: str, covered: bool) -> None:
    assert (asked in PermissionSet({held})) is covered


@given(st.sets(WORDS), WORDS)
def test_without_stars_only_what_is_held_is_covered(held: set[str], asked: str) -> None:
    assert (asked in PermissionSet(held)) is (asked in held)
    assert (asked in PermissionSet({*held, "*"})) is True


PATTERNS = st.from_regex(r"([ab]|\*)(:([ab]|\*)){0,3}", fullmatch=True)
PLAIN = st.from_regex(r"[ab](:[ab]){0,4}", fullmatch=True)


@given(st.sets(PATTERNS, max_size=4), st.sets(PATTERNS, max_size=4), PLAIN)
def test_what_two_sets_share_is_what_both_cover(one: set[str], other: set[str], asked: str) -> None:
    shared = PermissionSet(one).shared(other)
    assert (asked in shared) is (asked in PermissionSet(one) and asked in PermissionSet(other))


def test_missing_permissions_are_named_in_order() -> None:
    assert PermissionSet({"a:*"}).missing(["b:c", "a:b", "a"]) == ["b:c", "a"]
    assert not PermissionSet({"*"}).__contains__(5)  # an operator would do, but for the type checker
    assert (use_of("clock"), manage_of("clock")) == ("plugin:clock:use", "plugin:clock:manage")


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("1.4.2", "^1.0.0", True),
        ("2.0.0", "^1.0.0", False),
        ("0.2.0", "^0.1.0", False),
        ("1.2.3", "~1.2.0", True),
        ("1.2.3", "1.x", True),
        ("1.2.3", ">=1.2 <2", True),
        ("1.2.3", "1.0.0 || 1.2.3", True),
        ("1.2.3", "1.0.0 - 1.3.0", True),
        ("1.2.3", "*", True),
        ("1.2.3-beta.1", "^1.0.0", False),
    ],
)
def test_ranges_are_npms(version: str, wanted: str, fits: bool) -> None:
    assert satisfies(version, wanted) is fits


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0.0", "", "01.0.0", 1, None])
def test_what_is_no_version_is_named(version: object) -> None:
    assert "no SemVer version" in str(version_fault(version))


@pytest.mark.parametrize("wanted", ["what", ">>1", None, 5])
def test_what_is_no_range_is_named(wanted: object) -> None:
    assert "no version range" in str(range_fault(wanted))


def test_a_signal_tells_of_its_deadline_and_of_being_given_up() -> None:
    signal = Signal()
    assert not signal.wait(0.01)
    signal.raise_if_aborted()
    threading.Timer(0.01, signal.abort).start()
    assert signal.wait(10)
    with pytest.raises(AbortedError):
        signal.raise_if_aborted()
    assert Signal(deadline=0.0).aborted
    assert Signal(deadline=0.0).wait(10)


def test_an_invalid_error_lists_its_faults_in_its_text() -> None:
    error = InvalidError("No.", [Fault(path="/a", message="Bad."), Fault(path="", message="Worse.")])

    assert str(error) == "No. /a: Bad.; /: Worse."


@pytest.mark.parametrize("name", [name for name in vars(hookspecs) if name.startswith("corehost_")])
def test_every_hook_says_when_it_is_asked_and_what_it_takes(name: str) -> None:
    function = getattr(hookspecs, name)

    assert hasattr(function, "corehost_spec")
    assert len(inspect.getdoc(function) or "") > 20
    assert all(
        parameter.annotation is not parameter.empty for parameter in inspect.signature(function).parameters.values()
    )
