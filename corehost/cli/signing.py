"""`corehost plugin sign`: sign a plugin's folder or archive."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from corehost.cli.output import json_option, show
from corehost.contract.errors import InvalidError, NotFoundError
from corehost.plugins.signing.keys import read_private
from corehost.plugins.signing.signature import SIGNATURE
from corehost.plugins.signing.signer import pack_folder, sign_archive, sign_folder


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--key", "file", type=click.Path(path_type=Path), required=True, help="What 'corehost key new' made.")
@click.option("--zip", "archive", type=click.Path(path_type=Path), help="Of a folder: also write this archive.")
@json_option
def sign(path: Path, file: Path, archive: Path | None) -> None:
    """Sign all files of the plugin in PATH, a folder or a zip, by which hosts that trust the key may install it.

    The signature is kept among them, in corehost-signature.json. It says id and version, and holds only as long as no
    file is changed, added, taken away or renamed.
    """
    if not path.exists():
        raise NotFoundError(f"There is nothing at {path}. Name a plugin's folder or zip.")
    key = read_private(file)
    if path.is_dir():
        signature = sign_folder(path, key)
        if archive is not None:
            pack_folder(path, archive)
    elif archive is not None:
        raise InvalidError(f"{path} is no folder, and is signed as it is. Leave --zip out.")
    else:
        signature, archive = sign_archive(path, key), path
    pin = None if archive is None else hashlib.sha256(archive.read_bytes()).hexdigest()
    said = {"plugin": signature.plugin, "version": signature.version, "key": key.public.id, "sha256": pin}
    count = len(signature.files)
    lines = [f"Signed {signature.plugin} {signature.version} with the key {key.public.id}: {count} files."]
    if archive is None:
        lines.append(f"Wrote {path / SIGNATURE}; pack it with the rest, or let --zip do it.")
    else:
        lines.append(f"{archive}#sha256={pin}")
    show({**said, "files": count}, "\n".join(lines))
