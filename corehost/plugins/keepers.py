"""Find out what holds on to an object, and name the way there."""

from __future__ import annotations

import gc
import sys
from collections import deque
from types import BuiltinFunctionType, CellType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

LONGEST = 12
"""Steps of one way."""
MOST = 5_000
"""Objects that are looked at for one way."""


def keeper_of(target: Any, *, but: str = "") -> str | None:
    """Return the shortest way from what holds on to *target* to a module or a running function, as a text.

    Modules below *but* do not count: a plugin's functions and its modules hold on to each other. ``None`` if there is
    no such way; then something outside of Python holds it. All objects of the process are looked at for each step.
    """
    modules = {id(vars(module)): name for name, module in list(sys.modules.items())}
    own = {key for key, name in modules.items() if name == but or (but and name.startswith(f"{but}."))}
    here = sys._getframe()
    queue: deque[tuple[Any, tuple[str, ...]]] = deque([(target, ())])
    seen = {id(target), id(queue), id(modules), id(here)}
    while queue and len(seen) < MOST:
        thing, way = queue.popleft()
        for holder in gc.get_referrers(thing):
            if id(holder) in seen or id(holder) in own or _is_ours(holder, here, queue):
                continue
            seen.add(id(holder))
            if (name := modules.get(id(holder))) is not None:
                return " ← ".join([*way, f"{name}.{_key_of(holder, thing)}"])
            if isinstance(holder, FrameType):
                code = holder.f_code
                return " ← ".join([*way, f"{code.co_name}, which runs in {code.co_filename}:{holder.f_lineno}"])
            if len(way) < LONGEST:
                queue.append((holder, (*way, *_step(holder, thing))))
    return None


def _is_ours(holder: Any, here: FrameType, queue: Any) -> bool:
    """Tell whether *holder* is only here because we look: frames, the queue and its entries."""
    if isinstance(holder, FrameType):
        return holder is here or holder.f_code.co_filename == __file__
    return holder is queue or (isinstance(holder, tuple) and any(entry is holder for entry in queue))


def _step(holder: Any, thing: Any) -> tuple[str, ...]:
    """Return how to name *holder*; what merely stands between two things has no name."""
    if isinstance(holder, dict):
        return (f"[{_key_of(holder, thing)!r}]",)
    if isinstance(holder, CellType):
        return ()
    if isinstance(holder, FunctionType | BuiltinFunctionType):
        return (f"function {holder.__qualname__}",)
    if isinstance(holder, MethodType):
        return (f"method {holder.__qualname__}",)
    if isinstance(holder, ModuleType):
        return (f"module {holder.__name__}",)
    if isinstance(holder, type):
        return (f"class {holder.__qualname__}",)
    return (type(holder).__qualname__,)


def _key_of(holder: dict[Any, Any], thing: Any) -> str:
    try:
        return next((str(key)[:80] for key, value in list(holder.items()) if value is thing), "?")
    except Exception:  # noqa: BLE001  # a key's own __str__ may raise anything; its name is not worth it
        return "?"
