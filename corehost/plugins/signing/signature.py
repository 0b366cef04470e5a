"""Write and read the signature of a plugin: the list of all its files, with their hashes, signed as a whole."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from corehost.contract.errors import CorehostError, InvalidError
from corehost.plugins.archives import MAX_MEMBERS, path_fault
from corehost.plugins.signing.keys import PrivateKey, PublicKey, read_public

SIGNATURE: Final = "corehost-signature.json"
"""The file beside the manifest; the only one that the list does not name."""
FORMAT: Final = 1
_CONTEXT: Final = b"corehost plugin signature 1\n"
"""Comes before what is signed, so that no signature made for anything else can be taken for one of a plugin."""
_MOST: Final = 1_000_000
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_MEMBERS: Final = {"format": int, "plugin": str, "version": str, "key": str, "files": dict, "signature": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a plugin's author signed: id and version of the plugin, and the sha256 (hex) of each file by its path."""

    plugin: str
    version: str
    files: Mapping[str, str]
    key: PublicKey
    value: bytes

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        document = {
            "format": FORMAT,
            "plugin": self.plugin,
            "version": self.version,
            "key": str(self.key),
            "files": dict(sorted(self.files.items())),
            "signature": base64.b64encode(self.value).decode(),
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    def require_holds(self) -> None:
        """Raise ``InvalidError`` unless the key that it names has signed id, version and list."""
        if not self.key.has_signed(_signed(self.plugin, self.version, self.files, self.key), self.value):
            raise InvalidError(
                f"Its {SIGNATURE!r} was changed, or was not made by the key {self.key.id} that it names."
            )

    def require_covers(self, hashes: Mapping[str, str]) -> None:
        """Raise ``InvalidError`` unless the files by these paths, with these *hashes*, are exactly those listed."""
        found = {path: value for path, value in hashes.items() if path != SIGNATURE}
        for problem, paths in (
            ("is not in the signed list", found.keys() - self.files.keys()),
            ("is missing, though it was signed", self.files.keys() - found.keys()),
            ("was changed after it was signed", {p for p in found if self.files.get(p, found[p]) != found[p]}),
        ):
            if paths:
                raise InvalidError(f"The file {_some(paths)} {problem}.")


def sign_files(key: PrivateKey, *, plugin: str, version: str, hashes: Mapping[str, str]) -> Signature:
    """Return the signature of a plugin's files, whose *hashes* are by path."""
    files = {path: value for path, value in hashes.items() if path != SIGNATURE}
    value = key.sign(_signed(plugin, version, files, key.public))
    return Signature(plugin=plugin, version=version, files=files, key=key.public, value=value)


def read_signature(data: bytes) -> Signature:
    """Read the file; believes nothing in it yet. Raises ``InvalidError`` for all that ``to_bytes`` does not write."""
    try:
        document = _document_of(data)
        key = read_public(document["key"])
        value = base64.b64decode(document["signature"], validate=True)
    except (ValueError, RecursionError, CorehostError) as error:
        text = f"{SIGNATURE!r} cannot be read: {str(error).rstrip('.')}."
        raise InvalidError(f"{text} Sign the plugin anew with 'corehost plugin sign'.") from error
    return Signature(
        plugin=document["plugin"], version=document["version"], files=document["files"], key=key, value=value
    )


def hash_of(content: bytes) -> str:
    """Return the sha256 of a file's content, in hex."""
    return hashlib.sha256(content).hexdigest()


def _signed(plugin: str, version: str, files: Mapping[str, str], key: PublicKey) -> bytes:
    """Return the bytes that are signed: one text for each meaning, whatever the file looks like."""
    document = {"format": FORMAT, "plugin": plugin, "version": version, "key": str(key), "files": dict(files)}
    return _CONTEXT + json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _document_of(data: bytes) -> dict[str, Any]:
    if len(data) > _MOST:
        raise ValueError(f"it has over {_MOST:,} bytes")
    document = json.loads(data, object_pairs_hook=_object)
    if not isinstance(document, dict) or document.keys() != _MEMBERS.keys():
        raise ValueError(f"it must be an object of {', '.join(_MEMBERS)}")
    if wrong := next((name for name, kind in _MEMBERS.items() if type(document[name]) is not kind), None):
        raise ValueError(f"{wrong!r} is not valid")
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}, and this host knows {FORMAT}")
    _require_list(document["files"])
    return document


def _require_list(files: dict[str, Any]) -> None:
    if len(files) > MAX_MEMBERS or SIGNATURE in files:
        raise ValueError(f"it lists {len(files)} files; at most {MAX_MEMBERS} are taken, and not itself")
    for path, value in files.items():
        if path_fault(path) or path.endswith("/") or not (isinstance(value, str) and _HASH.fullmatch(value)):
            raise ValueError(f"it lists {path[:200]!r}, which is no path with a sha256")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what says two things under one name: others might take the first, we the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it has two members of one name")
    return found


def _some(paths: Iterable[str]) -> str:
    first, *others = sorted(paths)
    return f"{first!r}" + (f" (and {len(others)} more)" if others else "")
