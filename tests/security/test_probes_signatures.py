"""Ways around a plugin's signature, in the manner of CVE-2022-31123: each is refused, at install and at load."""

from __future__ import annotations

import base64
import io
import json
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from corehost.contract.errors import CorehostError, InvalidError, NotAllowedError
from corehost.plugins.external import Fetcher
from corehost.plugins.installing import ExternalFolder, archive_beside
from corehost.plugins.signing.keys import PrivateKey, PublicKey
from corehost.plugins.signing.proofs import Proofs
from corehost.plugins.signing.signature import SIGNATURE, hash_of, sign_files
from corehost.plugins.signing.signer import pack
from corehost.plugins.sources import Origin
from tests.files import FileServer

Files = Mapping[str, bytes]
ANN = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"a" * 32))
"""Whom the host trusts."""
EVE = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"e" * 32))
EVIL = b"raise SystemExit('evil')\n"


def manifest(version: str = "1.2.0", plugin: str = "far-clock") -> bytes:
    return json.dumps({"id": plugin, "name": "Far clock", "version": version, "description": ""}).encode()


FILES = {
    "manifest.json": manifest(),
    "__init__.py": b"from .hands import tick\n",
    "hands.py": b"def tick(): ...\n",
    "static/clock.js": b"// tick\n",
}


def signed(files: Files = FILES, *, key: PrivateKey = ANN, plugin: str = "far-clock", version: str = "1.2.0") -> bytes:
    hashes = {name: hash_of(content) for name, content in files.items()}
    return sign_files(key, plugin=plugin, version=version, hashes=hashes).to_bytes()


WHOLE = {**FILES, SIGNATURE: signed()}


def packed(changes: Mapping[str, bytes | None]) -> bytes:
    merged = {**WHOLE, **changes}
    return pack({name: content for name, content in merged.items() if content is not None})


def rows(entries: Sequence[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """Return an archive of entries as they are, whatever is wrong with them."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive, warnings.catch_warnings(category=UserWarning, action="ignore"):
        for name, content in entries:
            archive.writestr(name, content)
    return held.getvalue()


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def document(**changes: Any) -> bytes:
    """Return the signature's file with some of it changed after it was signed."""
    return json.dumps({**json.loads(WHOLE[SIGNATURE]), **changes}).encode()


def replaced(old: bytes, new: bytes, times: int = -1) -> bytes:
    """Return the archive, not packed, with bytes changed in place; the same number of them."""
    data = rows(list(WHOLE.items()))
    assert old in data
    assert len(old) == len(new)
    return data.replace(old, new, times)


def listed(**changes: str) -> dict[str, str]:
    return {**json.loads(WHOLE[SIGNATURE])["files"], **changes}


def commented() -> bytes:
    held = io.BytesIO(pack(WHOLE))
    with zipfile.ZipFile(held, "a") as archive:
        archive.comment = b"evil"
    return held.getvalue()


def prefixed() -> bytes:
    """Return the archive behind other bytes, with its offsets put right, as a self-extracting one has them."""
    held = io.BytesIO()
    held.write(b"#!/bin/sh\n")
    with zipfile.ZipFile(held, "a") as archive:
        for name, content in WHOLE.items():
            archive.writestr(name, content)
    return held.getvalue()


def flagged() -> bytes:
    """Return the archive with its first member marked as encrypted."""
    data = bytearray(rows(list(WHOLE.items())))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(magic) + offset
        struct.pack_into("<H", data, at, 1)
    return bytes(data)


OTHER = {**FILES, "__init__.py": EVIL}
BANK = {**FILES, "manifest.json": manifest(plugin="bank")}
LINK = stat.S_IFLNK | 0o777
ATTACKS: dict[str, Callable[[], bytes]] = {
    # what was signed is changed
    "code changed": lambda: packed({"__init__.py": EVIL}),
    "one byte changed": lambda: packed({"hands.py": FILES["hands.py"].replace(b"tick", b"tock")}),
    "one byte changed in place": lambda: replaced(b"def tick", b"def tock"),
    "a byte added": lambda: packed({"hands.py": FILES["hands.py"] + b"\n"}),
    "a file emptied": lambda: packed({"hands.py": b""}),
    "permissions added": lambda: packed({"manifest.json": manifest()[:-1] + b', "permissions": ["network:fetch"]}'}),
    "line ends changed": lambda: packed({"hands.py": FILES["hands.py"].replace(b"\n", b"\r\n")}),
    "two files exchanged": lambda: packed({"hands.py": FILES["__init__.py"], "__init__.py": FILES["hands.py"]}),
    # files come and go
    "added beside": lambda: packed({"evil.py": EVIL}),
    "added below": lambda: packed({"static/evil.js": EVIL}),
    "added in a new folder": lambda: packed({"hands/__init__.py": EVIL}),
    "added package in place of a module": lambda: packed({"hands/__init__.py": EVIL, "hands.py": FILES["hands.py"]}),
    "added extension in place of a module": lambda: packed({"hands.abi3.so": b"\x7fELF"}),
    "added compiled code": lambda: packed({"__pycache__/hands.cpython-311.pyc": EVIL}),
    "added hidden": lambda: packed({".hidden.py": EVIL}),
    "added templates": lambda: packed({"templates/index.html": b"{{ 7 * 7 }}"}),
    "added empty file": lambda: packed({"py.typed": b""}),
    "added empty folder": lambda: rows([*WHOLE.items(), ("flask/", b"")]),
    "removed": lambda: packed({"hands.py": None}),
    "removed below": lambda: packed({"static/clock.js": None}),
    "renamed": lambda: packed({"hands.py": None, "arms.py": FILES["hands.py"]}),
    "renamed to the root": lambda: packed({"static/clock.js": None, "clock.js": FILES["static/clock.js"]}),
    "renamed in capitals": lambda: packed({"hands.py": None, "Hands.py": FILES["hands.py"]}),
    "renamed folder in capitals": lambda: packed({"static/clock.js": None, "Static/clock.js": b"// tick\n"}),
    "everything in a folder": lambda: pack({f"far_clock/{name}": content for name, content in WHOLE.items()}),
    # names that others read otherwise
    "second in capitals": lambda: packed({"HANDS.py": EVIL}),
    "second with a dotless i": lambda: packed({"__\u0131nit__.py": EVIL}),
    "second in wide letters": lambda: packed({"\uff48ands.py": EVIL}),
    "second decomposed": lambda: packed({"ha\u0308nds.py": EVIL}),
    "second with a space": lambda: packed({"hands.py ": EVIL}),
    "second with a dot before": lambda: packed({"./hands.py": EVIL}),
    "second by a detour": lambda: packed({"static/../hands.py": EVIL}),
    "second behind two slashes": lambda: packed({"static//clock.js": EVIL}),
    "second from the root": lambda: packed({"/hands.py": EVIL}),
    "second with a backslash": lambda: packed({"static\\clock.js": EVIL}),
    "second above": lambda: packed({"../hands.py": EVIL}),
    "second with a colon": lambda: packed({"hands.py:evil": EVIL}),
    "second behind a null": lambda: replaced(b"static/clock.js", b"hands.py\0/cl.js"),
    "other name in the list of members": lambda: replaced(b"hands.py", b"hanks.py", 1),
    # two of one name, links, devices
    "twice, evil last": lambda: rows([*WHOLE.items(), ("__init__.py", EVIL)]),
    "twice, evil first": lambda: rows([("__init__.py", EVIL), *WHOLE.items()]),
    "signature twice": lambda: rows([*WHOLE.items(), (SIGNATURE, signed(OTHER))]),
    "manifest twice": lambda: rows([*WHOLE.items(), ("manifest.json", manifest("9.0.0"))]),
    "link in place of a file": lambda: rows([*packed_but("hands.py"), (entry("hands.py", LINK), b"/etc/passwd")]),
    "link beside": lambda: rows([*WHOLE.items(), (entry("more.py", LINK), b"hands.py")]),
    "link in place of a folder": lambda: rows([*WHOLE.items(), (entry("more", LINK), b"/")]),
    "link in place of the signature": lambda: rows([*packed_but(SIGNATURE), (entry(SIGNATURE, LINK), b"other.json")]),
    "device": lambda: rows([*WHOLE.items(), (entry("null", stat.S_IFCHR | 0o666), b"")]),
    "pipe": lambda: rows([*WHOLE.items(), (entry("pipe", stat.S_IFIFO | 0o666), b"")]),
    "file that is a folder": lambda: rows([*WHOLE.items(), ("hands.py/", b"")]),
    # around the archive
    "data behind the end": lambda: pack(WHOLE) + EVIL,
    "archive behind the end": lambda: pack(WHOLE) + pack(OTHER),
    "archive before the beginning": lambda: pack(OTHER) + pack(WHOLE),
    "data before the beginning": lambda: EVIL + pack(WHOLE),
    "data before, offsets right": prefixed,
    "comment": commented,
    "cut off": lambda: pack(WHOLE)[:-1],
    "encrypted": flagged,
    "no archive": lambda: WHOLE[SIGNATURE],
    # the signature itself
    "signature left out": lambda: packed({SIGNATURE: None}),
    "signature empty": lambda: packed({SIGNATURE: b""}),
    "signature in a folder": lambda: packed({SIGNATURE: None, f"static/{SIGNATURE}": WHOLE[SIGNATURE]}),
    "signature in capitals": lambda: packed({SIGNATURE: None, SIGNATURE.upper(): WHOLE[SIGNATURE]}),
    "signature of another version": lambda: packed({SIGNATURE: signed({**FILES, "manifest.json": manifest("1.1.0")})}),
    "signature for another version": lambda: packed({SIGNATURE: signed(version="1.1.0")}),
    "signature for another plugin": lambda: packed({SIGNATURE: signed(plugin="near-clock")}),
    "manifest of another plugin, signed": lambda: pack({**BANK, SIGNATURE: signed(BANK)}),
    "signed by a stranger": lambda: packed({SIGNATURE: signed(key=EVE)}),
    "signed by a stranger, evil": lambda: pack({**OTHER, SIGNATURE: signed(OTHER, key=EVE)}),
    "stranger's with a trusted key's name": lambda: packed(
        {SIGNATURE: json.dumps({**json.loads(signed(key=EVE)), "key": str(ANN.public)}).encode()}
    ),
    "trusted key's with a stranger's name": lambda: packed({SIGNATURE: document(key=str(EVE.public))}),
    "key of no order": lambda: packed({SIGNATURE: document(key=str(PublicKey(b"\0" * 32)), signature=zeros(64))}),
    "value of another list": lambda: packed({SIGNATURE: document(signature=value_of(signed(OTHER)))}),
    "value of nothing": lambda: packed({SIGNATURE: document(signature=zeros(64))}),
    "value left empty": lambda: packed({SIGNATURE: document(signature="")}),
    "value left out": lambda: packed({SIGNATURE: document(signature=None)}),
    "list goes on": lambda: packed({"evil.py": EVIL, SIGNATURE: document(files=listed(**{"evil.py": hash_of(EVIL)}))}),
    "list changed": lambda: packed(
        {"__init__.py": EVIL, SIGNATURE: document(files=listed(**{"__init__.py": hash_of(EVIL)}))}
    ),
    "list empty": lambda: packed({SIGNATURE: document(files={})}),
    "list of everything": lambda: packed({SIGNATURE: document(files={"*": "0" * 64})}),
    "list with the signature": lambda: packed({SIGNATURE: document(files=listed(**{SIGNATURE: "0" * 64}))}),
    "id changed": lambda: packed({SIGNATURE: document(plugin="far-clock ")}),
    "version changed": lambda: packed({SIGNATURE: document(version="1.2.1")}),
    "format of the future": lambda: packed({SIGNATURE: document(format=2)}),
    "format as a text": lambda: packed({SIGNATURE: document(format="1")}),
    "more than there is": lambda: packed({SIGNATURE: document(unsigned="x")}),
    "two lists": lambda: packed({
        SIGNATURE: WHOLE[SIGNATURE].replace(b'"files"', b'"files": {"__init__.py": "' + b"0" * 64 + b'"}, "files"', 1)
    }),
    "two ids": lambda: packed({SIGNATURE: WHOLE[SIGNATURE].replace(b'"plugin"', b'"plugin": "bank", "plugin"', 1)}),
    "text behind it": lambda: packed({SIGNATURE: WHOLE[SIGNATURE] + b"{}"}),
    "nested without end": lambda: packed({SIGNATURE: b"[" * 200_000}),
    "list of a bomb": lambda: packed({"bomb.bin": b"\0" * 60_000_000}),
}  # fmt: skip  # a table of attacks reads better in rows


def packed_but(name: str) -> list[tuple[str, bytes]]:
    return [(other, content) for other, content in WHOLE.items() if other != name]


def zeros(count: int) -> str:
    return base64.b64encode(b"\0" * count).decode()


def value_of(signature: bytes) -> str:
    return str(json.loads(signature)["signature"])


class Shop(FileServer):
    """A server of plugins on this machine, whose archive an attacker can exchange."""

    def __init__(self) -> None:
        super().__init__()
        self.address = f"{self.url}/clock"

    def offer(self, data: bytes, version: str = "1.2.0") -> None:
        self.files["/clock/manifest.json"] = manifest(version)
        self.files[f"/clock/far-clock-{version}.zip"] = data


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> ExternalFolder:
    proofs = Proofs(lambda key: "Ann" if key == ANN.public else None)
    return ExternalFolder(tmp_path, Fetcher(allow_loopback=True), proofs, is_allowed=True)


def kept(folder: Path, url: str, data: bytes) -> Origin:
    """Lay out a plugin that the host has installed, whose archive somebody exchanged."""
    code = folder / "slot" / "far_clock"
    code.mkdir(parents=True)
    archive_beside(code).write_bytes(data)
    return Origin(kind="external", name="far_clock", path=code, url=url, managed=True)


def test_what_ann_signed_is_installed_and_loaded(folder: ExternalFolder, shop: Shop, tmp_path: Path) -> None:
    shop.offer(pack(WHOLE))

    origin = kept(tmp_path, shop.address, folder.fetch(shop.address))
    proof = folder.refresh(origin)

    assert (proof.signer, proof.key, proof.pin) == ("Ann", ANN.public, None)
    assert {path.name for path in (tmp_path / "slot" / "far_clock").rglob("*") if path.is_file()} == {
        "manifest.json", "__init__.py", "hands.py", "clock.js", SIGNATURE,
    }  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_way_around_the_signature_is_installed_or_loaded(
    folder: ExternalFolder, shop: Shop, tmp_path: Path, attack: str
) -> None:
    data = ATTACKS[attack]()
    shop.offer(data)
    origin = kept(tmp_path, shop.address, data)

    for way in (lambda: folder.fetch(shop.address), lambda: folder.require(origin), lambda: folder.refresh(origin)):
        with pytest.raises(CorehostError) as refused:
            way()
        assert len(refused.value.text) > 20
        assert "Traceback" not in refused.value.text
    assert not list((tmp_path / "slot" / "far_clock").iterdir())  # nothing of it was unpacked


@pytest.mark.parametrize("attack", ["one byte changed", "added beside", "signature for another version"])
def test_a_signature_that_does_not_hold_is_no_matter_of_the_pin(
    folder: ExternalFolder, shop: Shop, attack: str
) -> None:
    data = ATTACKS[attack]()
    shop.offer(data)

    with pytest.raises(InvalidError):
        folder.fetch(f"{shop.address}#sha256={hash_of(data)}")


def test_an_older_signed_version_under_a_new_name_is_refused(folder: ExternalFolder, shop: Shop) -> None:
    old = {**FILES, "manifest.json": manifest("1.1.0")}
    shop.offer(pack({**old, SIGNATURE: signed(old, version="1.1.0")}), version="2.0.0")

    with pytest.raises(InvalidError, match=r"versions 1\.1\.0 and 2\.0\.0"):
        folder.fetch(shop.address)


def test_another_signed_plugin_at_its_address_is_refused(folder: ExternalFolder, shop: Shop) -> None:
    shop.offer(pack({**BANK, SIGNATURE: signed(BANK, plugin="bank")}))

    with pytest.raises(InvalidError, match="holds 'bank' and not 'far-clock'"):
        folder.fetch(shop.address)


def test_a_key_that_was_forgotten_stands_for_nothing(shop: Shop, tmp_path: Path) -> None:
    trusted = {ANN.public}
    proofs = Proofs(lambda key: "Ann" if key in trusted else None)
    folder = ExternalFolder(tmp_path, Fetcher(allow_loopback=True), proofs, is_allowed=True)
    origin = kept(tmp_path, shop.address, pack(WHOLE))
    assert folder.refresh(origin).signer == "Ann"

    trusted.clear()

    with pytest.raises(NotAllowedError, match="corehost key trust ed25519:"):
        folder.refresh(origin)


def test_where_external_plugins_are_off_nothing_is_fetched_or_loaded(shop: Shop, tmp_path: Path) -> None:
    folder = ExternalFolder(tmp_path, Fetcher(allow_loopback=True), Proofs(lambda _: "Ann"), is_allowed=False)

    for way in (lambda: folder.fetch(shop.address), lambda: folder.refresh(kept(tmp_path, shop.address, pack(WHOLE)))):
        with pytest.raises(NotAllowedError, match="--allow-external"):
            way()
