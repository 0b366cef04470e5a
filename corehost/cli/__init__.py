"""The command `corehost`: one file a noun, and the only home of click."""

from corehost.cli.commands import main

__all__ = ["main"]
