"""Make the pages and resources by which people come in and are managed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import Blueprint

from corehost.plugins.assembly import Plugins
from corehost.web.auth import SessionCookie
from corehost.web.csrf import Csrf
from corehost.web.entrance import Entrance
from corehost.web.oidc import OidcOptions, OidcProvider
from corehost.web.oidc_pages import BACK, SECONDS, OidcPages
from corehost.web.origins import EdgeAddress, Origins
from corehost.web.people_api import PeopleApi
from corehost.web.people_pages import people_pages
from corehost.web.shell import Shell
from corehost.web.signin import Announce, SignInPages


def people_blueprints(
    plugins: Plugins,
    *,
    address: EdgeAddress,
    origins: Origins,
    cookie: SessionCookie,
    csrf: Csrf,
    shell: Shell,
    entrance: Entrance,
    announce: Announce | None,
    link: Callable[[str], str],
    oidc: OidcOptions | None,
) -> Iterator[Blueprint]:
    """Yield the sign-in, the way to the provider if one is set, everybody's own page, and the API of people.

    *link* makes a one-use link for a user.
    """
    database = plugins.database
    pages = SignInPages(
        entrance=entrance,
        cookie=cookie,
        strangers=SessionCookie(address, origins, lifetime=3_600.0, name="corehost-signin"),
        csrf=csrf,
        shell=shell,
        announce=announce,
        note=database.audit.note,
        ways=(OidcPages.way,) if oidc else (),
    )
    yield pages.blueprint()
    if oidc is not None:
        yield OidcPages(
            oidc,
            OidcProvider(oidc, redirect_uri=f"{address.base_url}{BACK}"),
            people=database.people,
            entrance=entrance,
            cookie=SessionCookie(address, origins, lifetime=SECONDS, name="corehost-oidc"),
            box=database.secrets,
            pages=pages,
        ).blueprint()
    yield PeopleApi(database.people, entrance, plugins.permissions, link=link).blueprint()
    yield people_pages(shell, database.people)
