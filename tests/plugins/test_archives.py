"""An archive is unpacked only if nothing in it could lead anywhere else."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from corehost.contract.errors import InvalidError, TooLargeError
from corehost.plugins.archives import MAX_MEMBERS, MAX_UNPACKED, read_members, unpack


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], manifest: bool = True) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        if manifest:
            made.writestr("manifest.json", "{}")
        for name, data in members:
            made.writestr(name, data)
    return held.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def test_files_and_folders_are_unpacked_in_place_of_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "old.py").touch()

    unpack(archive(("__init__.py", b"x = 1"), ("a/b.txt", b"b"), ("empty/", b"")), folder)

    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*")) == [
        "__init__.py",
        "a/b.txt",
        "manifest.json",
    ]
    assert not folder.with_name("code.new").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../out.py", "a/../../out.py", "/out.py", "//out.py", "a//b.py", "./a.py", "..", "a\\..\\out.py", "C:/out.py",
        "a/\x01.py", "a/.. /b.py", " a.py", "a" * 300, "a:stream", "nul\u202epy",
    ],
)  # fmt: skip  # a table of names reads better in rows
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidError):
        unpack(archive((name, b"x")), tmp_path / "code")

    assert sorted(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(InvalidError, match="link or a device"):
        unpack(archive((special("a.py", kind), b"/etc/passwd")), tmp_path / "code")


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="two members"):
        unpack(archive(("a.py", b"1"), ("A.py", b"2")), tmp_path / "code")


def test_what_unfolds_into_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError, match="unfolds"):
        unpack(archive(("zeros", b"\0" * 51_000_000)), tmp_path / "code")
    with pytest.raises(TooLargeError, match="members"):
        unpack(archive(*((f"{n}.txt", b"") for n in range(MAX_MEMBERS))), tmp_path / "code")


def test_what_unfolds_into_too_much_is_not_read_either() -> None:
    half = b"\0" * (MAX_UNPACKED // 2)

    with pytest.raises(TooLargeError, match="unfolds"):
        read_members(archive(("a.bin", half), ("b.bin", half)))  # with the manifest that is over it
    assert read_members(archive(("a.bin", half), ("empty/", b""))).keys() == {"manifest.json", "a.bin"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"no archive",
        lambda: archive(("a.py", b"x"))[:-30],
        lambda: archive(("a.py", b"x" * 1000)).replace(b"a.py", b"b.py", 1),
        lambda: archive(("a.py", b"x"), manifest=False),
    ],
)
def test_what_is_no_archive_of_a_plugin_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(InvalidError):
        unpack(make(), tmp_path / "code")

    assert not (tmp_path / "code").exists()
