"""Serve the resources by which plugins are installed, upgraded, rolled back and removed, each as a job."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, request

from corehost.contract.errors import Fault, InvalidError
from corehost.contract.permissions import PLUGINS_INSTALL
from corehost.contract.records import to_json
from corehost.plugins.assembly import Plugins
from corehost.plugins.installation.fetching import Source
from corehost.plugins.installation.jobs import Job
from corehost.web.auditing import Auditing
from corehost.web.caller import require_caller
from corehost.web.gate import ARCHIVE_LIMIT
from corehost.web.problems import problem_document
from corehost.web.reading import answer, only, read_flag, read_json

PATIENCE: Final = 10.0
"""Seconds that a removal may take before the answer is 202."""


class InstallsApi:
    """``POST /api/plugins``, ``/api/plugins/<id>/version``, and ``/api/jobs``; for those who may install plugins.

    A source is the body, as JSON ``{"source": …, "force"?: …}``; or the body is an archive, with its name in the query.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._auditing = Auditing(plugins.database.audit)

    def blueprint(self) -> Blueprint:
        """Return the resources."""
        api = Blueprint("installs_api", __name__, url_prefix="/api")
        for rule, view, method in (
            ("/plugins", self._install, "POST"),
            ("/plugins/<plugin_id>/version", self._upgrade, "PUT"),
            ("/plugins/<plugin_id>/version", self._roll_back, "DELETE"),
            ("/jobs", self._list, "GET"),
            ("/jobs/<job_id>", self._show, "GET"),
        ):
            api.add_url_rule(rule, view.__name__.strip("_"), view, methods=[method])
        return api

    def _install(self) -> Response:
        self._require("install plugins")
        source, force = _source()
        if source is None:
            raise InvalidError("The body is not valid.", [Fault(path="/source", message="Is missing.")])
        with self._auditing.of("plugin:install", source.text):
            return _accepted(self._plugins.installer.install(source, force=force))

    def _upgrade(self, plugin_id: str) -> Response:
        self._require(f"upgrade the plugin {plugin_id!r}")
        source, force = _source()
        if read_flag(request, "dryRun"):
            return answer({"id": plugin_id, "plan": to_json(self._plugins.installer.plan_upgrade(plugin_id, source))})
        with self._auditing.of("plugin:upgrade", plugin_id):
            return _accepted(self._plugins.installer.upgrade(plugin_id, source, force=force))

    def _roll_back(self, plugin_id: str) -> Response:
        self._require(f"roll the plugin {plugin_id!r} back")
        storage, force = read_flag(request, "storage"), read_flag(request, "force")
        with self._auditing.of("plugin:rollback", plugin_id):
            return _accepted(self._plugins.installer.rollback(plugin_id, storage=storage, force=force))

    def _list(self) -> Response:
        self._require("see what is being installed")
        return answer({"items": [job_document(job) for job in self._plugins.installer.jobs.all()]})

    def _show(self, job_id: str) -> Response:
        self._require("see what is being installed")
        return answer(job_document(self._plugins.installer.jobs.get(job_id)))

    def _require(self, what: str) -> None:
        self._plugins.permissions.require_user(require_caller(request.environ).user, PLUGINS_INSTALL, what)


def job_document(job: Job) -> dict[str, Any]:
    """Return how a job stands, with the ``problem`` (RFC 9457) of one that failed."""
    return {**job.to_json(), "problem": None if job.error is None else problem_document(job.error)}


def remove_plugin(plugins: Plugins, plugin_id: str, *, cascade: bool, purge: bool) -> Response:
    """Remove what the host installed: 204 when it is gone, 202 with the job if that takes long."""
    job = plugins.installer.remove(plugin_id, purge=purge, cascade=cascade)
    if not job.ended.wait(PATIENCE):
        return _accepted(job)
    if job.error is not None:
        raise job.error
    return Response(status=204)


def _accepted(job: Job) -> Response:
    return answer(job_document(job), 202, Location=f"/api/jobs/{job.id}")


def _source() -> tuple[Source | None, bool]:
    """Return what the body names or holds, ``None`` for neither, and whether it shall be forced."""
    force = read_flag(request, "force")
    if request.mimetype and not request.is_json:
        request.max_content_length = ARCHIVE_LIMIT + 1  # the gate counts; this is the second lock
        return Source(text=_name(), data=request.get_data()), force
    body = read_json(request, empty={})
    if not isinstance(body, dict):
        raise InvalidError("The body is not valid.", [Fault(path="", message="Must be an object.")])
    only(body, "source", "force")
    text, forced = body.get("source"), body.get("force", force)
    faults = [] if isinstance(forced, bool) else [Fault(path="/force", message="Must be true or false.")]
    if text is not None and (not isinstance(text, str) or not text.strip()):
        faults.append(Fault(path="/source", message="Must be a path or a package's name."))
    if faults:
        raise InvalidError("The body is not valid.", faults)
    return None if text is None else Source(text=text.strip()), forced


def _name() -> str:
    name = request.args.get("name", "")
    if not name:
        fault = Fault(path="/name", message="Must be the archive's name, such as 'clock-1.0.0-py3-none-any.whl'.")
        raise InvalidError("The query is not valid.", [fault])
    return name
