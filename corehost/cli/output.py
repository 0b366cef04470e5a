"""Say a command's result to a person, or as JSON to a program."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from corehost.contract.errors import CorehostError
from corehost.web.problems import problem_document

_JSON = "corehost.json"
F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Give a command the option ``--json``, which ``show`` and ``show_error`` heed."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.find_root().meta[_JSON] = value

    return click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=remember, help="Answer in JSON."
    )(command)


def wants_json() -> bool:
    """Tell whether the command at hand was asked for JSON."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx is not None and ctx.find_root().meta.get(_JSON))


def show(value: Any, text: str) -> None:
    """Print *value* as one line of JSON, or *text* for a person."""
    click.echo(json.dumps(value, ensure_ascii=False) if wants_json() else text)


def show_error(ctx: click.Context, error: CorehostError) -> None:
    """Print why a command failed to stderr; in JSON as an RFC 9457 problem."""
    if ctx.find_root().meta.get(_JSON):
        click.echo(json.dumps(problem_document(error), ensure_ascii=False), err=True)
    else:
        click.echo(f"Error: {error.text}", err=True)


def pretty(value: Any) -> str:
    """Return a JSON value as a person reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return *rows* in columns below *heads*; the last column is not padded."""
    lines = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]) for line in lines
    )
