"""Say in which file and line something was raised."""

from __future__ import annotations

from pathlib import Path


def place_of(error: BaseException, *, below: Path | None = None) -> str | None:
    """Return ``file:line`` of what raised *error*, of a ``SyntaxError`` the place that it complains of.

    With ``below``, the innermost line of code that lies there wins: a plugin's author looks for a line of the plugin,
    not for one of the library that refused its call.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 0}"
    innermost = own = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        innermost = f"{file}:{trace.tb_lineno}"
        if below is not None and Path(file).is_relative_to(below):
            own = innermost
        trace = trace.tb_next
    return own or innermost
