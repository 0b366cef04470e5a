"""Show where a plugin's thread is stuck, without the host's own frames."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType

from corehost.plugins.registry import Plugin

Stack = Sequence[traceback.FrameSummary]
MOST = 20
"""Lines that are shown of a stack; the innermost are the ones that matter."""


def stack_of(frame: FrameType | None) -> Stack:
    """Return the stack of another thread as it is now, outermost first, without looking at any source."""
    found = []
    while frame is not None:
        code = frame.f_code
        found.append(traceback.FrameSummary(code.co_filename, frame.f_lineno, code.co_name, lookup_line=False))
        frame = frame.f_back
    return found[::-1]


def trimmed(stack: Stack, below: Path | None) -> list[str]:
    """Return *stack* as lines ``file:line in function``, from the first frame inside of *below* to the innermost.

    It is empty if none lies there: then the thread is stuck in nothing of the plugin's.
    """
    first = next((i for i, entry in enumerate(stack) if below is not None and is_below(entry.filename, below)), None)
    return [] if first is None else shown(stack[first:])


def shown(stack: Iterable[traceback.FrameSummary]) -> list[str]:
    """Return lines ``file:line in function: source``."""
    return [_line(entry) for entry in list(stack)[-MOST:]]


def task_stacks(loop: asyncio.AbstractEventLoop) -> list[Stack]:
    """Return where the coroutines of *loop* wait, seen from another thread."""
    try:
        tasks = list(asyncio.all_tasks(loop))
    except RuntimeError:  # one came or went just then
        return []
    return [
        [
            traceback.FrameSummary(f.f_code.co_filename, f.f_lineno, f.f_code.co_name, lookup_line=False)
            for f in task.get_stack()
        ]
        for task in tasks
    ]


def is_below(file: str, folder: Path) -> bool:
    """Tell whether a code's file is *folder*, or lies in it."""
    # As text: this is asked of each frame of each thread, and a ``Path`` of each would hold up the others.
    top = str(folder)
    return file == top or file.startswith(f"{top}{os.sep}")


def code_of(plugin: Plugin) -> Path | None:
    """Return the file or folder in which a plugin's code lies."""
    if plugin.origin.path is not None:
        return plugin.origin.path
    file = getattr(plugin.module, "__file__", None)
    if file is None:
        return None
    return Path(file).parent if hasattr(plugin.module, "__path__") else Path(file)


def _line(entry: traceback.FrameSummary) -> str:
    source = f": {entry.line}" if entry.line else ""
    return f"{entry.filename}:{entry.lineno} in {entry.name}{source}"
