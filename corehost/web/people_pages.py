"""Serve the page on which everybody manages their own account."""

from __future__ import annotations

from flask import Blueprint, request

from corehost.contract.errors import NotFoundError
from corehost.state.people.passwords import LEAST, MOST
from corehost.state.people.people import People
from corehost.web.caller import require_caller
from corehost.web.shell import Shell


def people_pages(shell: Shell, people: People) -> Blueprint:
    """Return the page ``/account``."""

    def account() -> str:
        caller = require_caller(request.environ)
        try:
            kept = people.get(caller.user.id) if caller.session is not None else None
        except NotFoundError:
            kept = None
        content = shell.render(
            "host/account.html", user=caller.user, account=kept, roles=people.roles.all(), least=LEAST, most=MOST
        )
        return shell.lay_out(content, title="Your account", plugin_id=None)

    pages = Blueprint("people", __name__)
    pages.add_url_rule("/account", "account", account)
    return pages
