"""Follow what is being installed, upgraded and removed, step by step."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal

import structlog

from corehost.contract.errors import BusyError, ConflictError, CorehostError, NotFoundError
from corehost.plugins.deadlines import described
from corehost.plugins.installation.journal import Action

State = Literal["running", "done", "failed"]
Step = Literal["fetching", "unpacking", "trying", "switching", "watching", "removing", "ended"]
MOST_AT_ONCE: Final = 4
_KEPT: Final = 100
_DOING = {"install": "installed", "upgrade": "upgraded", "rollback": "rolled back", "remove": "removed"}


class Job:
    """One change, on a thread of its own.

    ``error`` is why it failed; ``version`` what came of it, ``replaced`` what ran before. ``come_back`` is set to ask
    a version that is watched to give way to the old one.
    """

    def __init__(self, action: Action, source: str, tell: Callable[[dict[str, Any]], Any]) -> None:
        self.id = secrets.token_hex(8)
        self.action = action
        self.source = source
        self.plugin_id: str | None = None
        self.version: str | None = None
        self.replaced: str | None = None
        self.step: Step = "removing" if action == "remove" else "fetching"
        self.state: State = "running"
        self.error: BaseException | None = None
        self.started = time.time()
        self.come_back = threading.Event()
        self.ended = threading.Event()
        self._tell = tell

    def reach(self, step: Step) -> None:
        """Tell that the job has come to *step*."""
        self.step = step
        self._tell(self.to_json())

    def end(self, error: BaseException | None) -> None:
        """Tell that the job is done, or why it failed."""
        self.state, self.error = ("done", None) if error is None else ("failed", error)
        if error is None:
            self.step = "ended"
        self._tell(self.to_json())
        self.ended.set()

    def to_json(self) -> dict[str, Any]:
        """Return how it stands; the step of one that failed is the one it failed at."""
        return {
            "id": self.id,
            "action": self.action,
            "plugin": self.plugin_id,
            "source": self.source,
            "state": self.state,
            "step": self.step,
            "version": self.version,
            "replaced": self.replaced,
            "started": self.started,
            "error": None if self.error is None else described(self.error),
        }


class Jobs:
    """The jobs of this run of the host, the newest hundred; one at a time for each plugin."""

    def __init__(self, tell: Callable[[dict[str, Any]], Any]) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._tell = tell
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._claims: dict[str, Job] = {}

    def begin(self, action: Action, source: str, work: Callable[[Job], None], *, plugin_id: str | None = None) -> Job:
        """Start a job; raises ``ConflictError`` if its plugin has one, ``BusyError`` if there are too many."""
        job = Job(action, source, self._tell)
        if plugin_id is not None:
            self.claim(job, plugin_id)
        with self._lock:
            running = sum(1 for other in self._jobs.values() if other.state == "running" and other.step != "watching")
            if running >= MOST_AT_ONCE:
                self._claims = {key: other for key, other in self._claims.items() if other is not job}
                raise BusyError(f"{running} plugins are being installed or removed. Try again when one is done.")
            self._jobs[job.id] = job
            for old in [other for other in self._jobs.values() if other.state != "running"][: -_KEPT or None]:
                del self._jobs[old.id]
        threading.Thread(target=self._run, args=(job, work), name="corehost-install", daemon=True).start()
        return job

    def claim(self, job: Job, plugin_id: str) -> None:
        """Note that *job* is about this plugin; raises ``ConflictError`` if another is."""
        with self._lock:
            other = self._claims.setdefault(plugin_id, job)
        if other is not job:
            raise ConflictError(_taken(plugin_id, other))
        job.plugin_id = plugin_id

    def of(self, plugin_id: str) -> Job | None:
        """Return the job that changes a plugin now."""
        return self._claims.get(plugin_id)

    def get(self, job_id: str) -> Job:
        """Return a job; raises ``NotFoundError``."""
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFoundError(f"There is no job {job_id[:80]!r} in this run of the host.")
        return job

    def all(self) -> list[Job]:
        """Return the jobs, oldest first."""
        return list(self._jobs.values())

    def _run(self, job: Job, work: Callable[[Job], None]) -> None:
        error: BaseException | None = None
        try:
            work(job)
        except (CorehostError, OSError) as refused:
            error = refused
        except BaseException as fault:  # noqa: BLE001  # whoever follows the job must learn of its end
            self._log.error("job failed", job=job.id, exc_info=fault)
            error = fault
        with self._lock:
            self._claims = {key: other for key, other in self._claims.items() if other is not job}
        words = {"plugin": job.plugin_id, "version": job.version, "source": job.source}
        if error is None:
            self._log.info(f"plugin {_DOING[job.action]}", **words)
        else:
            self._log.error(f"plugin not {_DOING[job.action]}", **words, error=described(error))
        job.end(error)


def _taken(plugin_id: str, job: Job) -> str:
    if job.step == "watching":
        text = f"Version {job.version} of plugin {plugin_id!r} is on trial."
        return f"{text} Wait until that is over, or take it back with 'corehost plugin rollback {plugin_id}'."
    return f"Plugin {plugin_id!r} is being {_DOING[job.action]} already (job {job.id}). Wait until that is done."
