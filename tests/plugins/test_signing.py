"""A signature holds for exactly the files, the id and the version that were signed, and for nothing else."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError, TooLargeError
from corehost.plugins.signing.keyring import Keyring
from corehost.plugins.signing.keys import PrivateKey, PublicKey, new_private, read_private, read_public
from corehost.plugins.signing.proofs import Proofs, signature_of
from corehost.plugins.signing.signature import SIGNATURE, Signature, hash_of, read_signature, sign_files
from corehost.plugins.signing.signer import pack, pack_folder, sign_archive, sign_folder
from corehost.state.database import HostDatabase

MANIFEST = json.dumps({"id": "far-clock", "name": "Far clock", "version": "1.2.0", "description": ""}).encode()
FILES = {"manifest.json": MANIFEST, "__init__.py": b"", "static/clock.js": b"// tick\n"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    return new_private(tmp_path_factory.mktemp("keys") / "ann")


def written(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_key_is_kept_where_only_its_owner_reads_it(tmp_path: Path) -> None:
    made = new_private(tmp_path / "key")

    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert read_private(tmp_path / "key").public == made.public
    assert read_public(str(made.public)) == made.public
    with pytest.raises(ConflictError, match="something at"):
        new_private(tmp_path / "key")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ed25519:",
        "ed25519:" + "A" * 44,
        "rsa:" + "A" * 43 + "=",
        "ed25519:" + "A" * 42 + "B=",
        "ed25519:" + "A" * 43 + "=\nx",
        "ed25519:" + "A" * 40 + "é00=",
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="no public key"):
        read_public(text)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_private_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(InvalidError, match="no private key"):
        read_private(tmp_path / "key")
    with pytest.raises(NotFoundError, match="corehost key new"):
        read_private(tmp_path / "none")


def test_a_folder_and_an_archive_of_it_are_signed_alike(tmp_path: Path, key: PrivateKey) -> None:
    folder = written(tmp_path / "clock")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").touch()
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()

    signature = sign_folder(folder, key)

    assert (signature.plugin, signature.version, set(signature.files)) == ("far-clock", "1.2.0", set(FILES))
    pack_folder(folder, tmp_path / "one.zip")
    (tmp_path / "two.zip").write_bytes(pack(FILES))
    sign_archive(tmp_path / "two.zip", key)
    sign_archive(tmp_path / "two.zip", key)  # anew, in place of the first
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    found = signature_of((tmp_path / "one.zip").read_bytes())
    assert found.signature == signature
    assert found.manifest.id == "far-clock"


@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_a_folder_with_links_or_devices_is_not_signed(tmp_path: Path, key: PrivateKey, kind: str) -> None:
    folder = written(tmp_path / "clock")
    if kind == "pipe":
        os.mkfifo(folder / "pipe")
    else:
        (folder / "link").symlink_to("manifest.json" if kind == "file" else "static")

    with pytest.raises(InvalidError, match="link or a device"):
        sign_folder(folder, key)
    assert not (folder / SIGNATURE).exists()


def test_what_cannot_be_in_an_archive_is_not_signed(tmp_path: Path, key: PrivateKey) -> None:
    with pytest.raises(InvalidError, match="cannot be in an archive"):
        sign_folder(written(tmp_path / "clock", {**FILES, "uhr-ä.js": b""}), key)
    with pytest.raises(NotFoundError, match=r"manifest\.json"):
        sign_folder(written(tmp_path / "other", {"__init__.py": b""}), key)
    with pytest.raises(TooLargeError):
        sign_folder(written(tmp_path / "large", {**FILES, "data.bin": b"\0" * 50_000_001}), key)


def test_a_signature_is_read_back_as_it_was_written(key: PrivateKey) -> None:
    made = sign_files(key, plugin="clock", version="1.0.0", hashes={"b": hash_of(b""), "a": hash_of(b"1")})

    assert read_signature(made.to_bytes()) == made
    made.require_holds()


@given(where=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_bit_of_a_signature_can_be_changed(where: int, bit: int) -> None:
    data = bytearray(SIGNED.to_bytes())
    data[where % len(data)] ^= 1 << bit

    try:
        read = read_signature(bytes(data))
        read.require_holds()
    except InvalidError:
        return
    assert (read.plugin, read.version, read.files, read.key, read.value) == (
        SIGNED.plugin,
        SIGNED.version,
        SIGNED.files,
        SIGNED.key,
        SIGNED.value,
    )  # only white space was changed


def _signed() -> Signature:
    key = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
    return sign_files(key, plugin="clock", version="1.0.0", hashes={"manifest.json": hash_of(b"1"), "a": hash_of(b"2")})


SIGNED = _signed()
names = st.text("ab/._-", min_size=1, max_size=6)


@given(
    st.dictionaries(names, st.binary(max_size=2), max_size=4), st.dictionaries(names, st.binary(max_size=2), max_size=4)
)
def test_a_list_covers_what_it_lists_and_nothing_else(signed: dict[str, bytes], found: dict[str, bytes]) -> None:
    listed = {name: hash_of(content) for name, content in signed.items()}
    signature = Signature(plugin="clock", version="1.0.0", files=listed, key=SIGNED.key, value=b"")
    hashes = {name: hash_of(content) for name, content in found.items()}

    if signed == found:
        signature.require_covers(hashes)
    else:
        with pytest.raises(InvalidError, match=r"not in the signed list|is missing|was changed"):
            signature.require_covers(hashes)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"format": 2}, "its format is 2"),
        ({"format": True}, "'format' is not valid"),
        ({"more": 1}, "an object of"),
        ({"files": []}, "'files' is not valid"),
        ({"files": {"../x": "0" * 64}}, "no path"),
        ({"files": {"x/": "0" * 64}}, "no path"),
        ({"files": {"x": "0" * 63}}, "no path"),
        ({"files": {"x": "A" * 64}}, "no path"),
        ({"files": {"x": None}}, "no path"),
        ({"files": {SIGNATURE: "0" * 64}}, "not itself"),
        ({"files": {f"x{n}": "0" * 64 for n in range(2_001)}}, "at most 2000"),
        ({"key": "ed25519:x"}, "no public key"),
        ({"signature": "!"}, "cannot be read"),
        ({"plugin": None}, "'plugin' is not valid"),
    ],
)
def test_what_no_signer_writes_is_not_read(change: dict[str, Any], text: str) -> None:
    document = {**json.loads(SIGNED.to_bytes()), **change}

    with pytest.raises(InvalidError, match=text):
        read_signature(json.dumps(document).encode())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"format": 1, "format": 1}', b" " * 1_000_001]
)
def test_what_is_no_signature_is_not_read(data: bytes) -> None:
    with pytest.raises(InvalidError, match=SIGNATURE):
        read_signature(data)


def test_a_signature_of_any_size_is_not_even_parsed() -> None:
    with pytest.raises(InvalidError, match="over 1,000,000 bytes"):
        read_signature(SIGNED.to_bytes() + b" " * 1_000_000)


@pytest.mark.parametrize("value", [b"", b"\0" * 64, b"\0" * 63, b"\0" * 10_000])
def test_a_value_of_any_length_is_no_signature(value: bytes) -> None:
    with pytest.raises(InvalidError, match="was changed"):
        Signature(plugin="clock", version="1.0.0", files={}, key=SIGNED.key, value=value).require_holds()


class TestKeyring:
    @pytest.fixture
    def database(self, tmp_path: Path) -> HostDatabase:
        return HostDatabase(tmp_path)

    @pytest.fixture
    def ring(self, database: HostDatabase) -> Keyring:
        return Keyring(database.keys, database.audit)

    def test_a_key_is_trusted_until_it_is_forgotten_over_restarts(self, ring: Keyring, database: HostDatabase) -> None:
        trusted = ring.trust(str(SIGNED.key), "Ann", by="user:admin")

        assert (trusted.name, ring.name_of(SIGNED.key)) == ("Ann", "Ann")
        assert Keyring(database.keys, database.audit).name_of(SIGNED.key) == "Ann"
        ring.forget(SIGNED.key.id, by="user:admin")
        assert ring.name_of(SIGNED.key) is None
        entries = [(e.action, e.actor, e.subject, e.detail["name"]) for e in database.audit.read()]
        assert entries == [
            ("key:forget", "user:admin", SIGNED.key.id, "Ann"),
            ("key:trust", "user:admin", SIGNED.key.id, "Ann"),
        ]

    @pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "x" * 81])
    def test_a_name_is_one_line(self, ring: Keyring, name: str) -> None:
        with pytest.raises(InvalidError, match="not trusted"):
            ring.trust(str(SIGNED.key), name, by="user:admin")

    def test_two_keys_cannot_have_one_name(self, ring: Keyring) -> None:
        ring.trust(str(SIGNED.key), "Ann", by="user:admin")
        ring.trust(str(SIGNED.key), "Anne", by="user:admin")
        ring.trust(str(SIGNED.key), "Ann", by="user:admin")

        with pytest.raises(InvalidError, match="Another key is called 'Ann'"):
            ring.trust(str(PublicKey(b"\1" * 32)), "Ann", by="user:admin")
        with pytest.raises(NotFoundError, match="corehost key list"):
            ring.forget("Bob", by="user:admin")


def test_what_is_asked_of_a_plugin_is_what_it_must_have(key: PrivateKey) -> None:
    plain = pack(FILES)
    signed = pack(
        {
            **FILES,
            SIGNATURE: sign_files(
                key,
                plugin="far-clock",
                version="1.2.0",
                hashes={name: hash_of(content) for name, content in FILES.items()},
            ).to_bytes(),
        }
    )
    known, unknown = Proofs(lambda _: "Ann"), Proofs(lambda _: None)
    strict = Proofs(lambda _: "Ann", "signature")

    assert unknown.require(plain, hash_of(plain), "clock").text.startswith("Its archive has the pinned hash. Nobody")
    assert unknown.require(signed, hash_of(signed), "clock").signer is None
    assert known.require(signed, None, "clock").text == (
        f"Signed by Ann with the key {key.public.id}, which this host trusts."
    )
    assert strict.require(signed, hash_of(signed), "clock").text.endswith("Its archive has the pinned hash.")
    for proofs, data, pin, text in (
        (known, plain, None, "is not signed, and has no pin"),
        (unknown, signed, None, f"corehost key trust {key.public}".replace("+", r"\+")),
        (strict, plain, hash_of(plain), "is not signed"),
        (Proofs(lambda _: None, "signature"), signed, hash_of(signed), "does not trust"),
    ):
        with pytest.raises(NotAllowedError, match=text):
            proofs.require(data, pin, "clock")
    with pytest.raises(InvalidError, match="not the pinned"):
        known.require(signed, hash_of(plain), "clock")


def test_a_signature_for_another_use_is_none(key: PrivateKey) -> None:
    made = sign_files(key, plugin="clock", version="1.0.0", hashes={})
    document = json.loads(made.to_bytes())
    parts = {name: document[name] for name in ("format", "plugin", "version", "key", "files")}
    bare = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    document["signature"] = base64.b64encode(key.sign(bare)).decode()  # without what says that it is for a plugin

    with pytest.raises(InvalidError, match="was changed"):
        read_signature(json.dumps(document).encode()).require_holds()
