"""The page's server: on this machine only by default, at an address that nobody can guess, until a signal ends it."""

import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from gpu_pricer.errors import InputError
from gpu_pricer.review.desk import Desk
from gpu_pricer.review.page import DeskPage
from gpu_pricer.review.settings import ExploreSettings

log = logging.getLogger(__name__)

PATIENCE = 2
"""Seconds that open pages have to let go of the server when a signal ends it."""
ABSENCE = 60.0
"""Seconds for which a page may be out of reach, as on a busy machine; after NiceGUI's 3 it would load anew, and an open
panel with a note that was being written would be lost."""


def serve(desk: Desk, settings: ExploreSettings, publish: Callable[[], list[str]], say: Callable[[str], None]) -> None:
    """Serve the page until a signal ends it. say: told the address, once the page can be opened.

    The path of the page is drawn anew each time. Other users of the machine, and pages of other sites in the user's
    browser, do not know it, and without it nothing can be read or decided. publish: see DeskPage. Raise InputError
    where the address cannot be listened at.
    """
    listener = _listener(settings)
    host, port = listener.getsockname()[:2]
    path = f"/{secrets.token_urlsafe(16)}"
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @ui.page(path, title="Decide on prices", dark=None)
    def page() -> None:
        """Build the page anew for the browser that asks."""
        DeskPage(desk, settings.rows, publish).build()

    ui.run_with(application, language="en-US", tailwind=False, show_welcome_message=False, reconnect_timeout=ABSENCE)
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=PATIENCE))
    if not ipaddress.ip_address(host).is_loopback:
        log.warning("explore.host=%s lets other machines connect: whoever has the address can decide", settings.host)
    say(f"http://{host}:{port}{path}")
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn has let go of its pages; that is how a person ends a server
        return
    finally:
        listener.close()


def _listener(settings: ExploreSettings) -> socket.socket:
    """Return a socket that listens at the configured address."""
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=64)
    except OSError as error:
        raise InputError(
            f"explore.host={settings.host} explore.port={settings.port} must be an address that is free, found: "
            f"{error.strerror or error}: set explore.port=0 for a free port"
        ) from error
    return listener
