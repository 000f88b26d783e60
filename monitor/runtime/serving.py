"""Serving the page from the main thread, until the service stops."""

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlunsplit

import structlog
import uvicorn
from fastapi import FastAPI

from monitor.app import App
from monitor.config.clock import utc_now
from monitor.errors import WorkFailed
from monitor.web.app import create_app
from monitor.web.connections import BACKLOG, Door, Guest, LoopFaults, room

_log = structlog.get_logger()
TRY_AGAIN_S = 2.0
_LAST_ANSWERS_S = 3


def serve(
    app: App, stop: threading.Event, say: Callable[[str], None], clock: Callable[[], datetime] = utc_now
) -> None:
    """Serve the page until `stop` is set; while its port is taken, say so once and wait for it.

    A service that waits to take over from another one on the same machine gets the port with the lead. `clock`
    is what the page takes for now (a replay has its own).
    """
    site = create_app(app, clock)
    listener = _listen(app, stop, say)
    if listener is None:
        return
    with listener:
        say(f"Page: {page_url_words(*listener.getsockname()[:2])}")
        _serve(site, listener, stop)


def _listen(app: App, stop: threading.Event, say: Callable[[str], None]) -> socket.socket | None:
    host, port = app.settings.host, app.settings.port
    told = False
    while not stop.is_set():
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise WorkFailed(
                    f"The page cannot listen on {page_url(host, port)}: {error.strerror}. Give --host or "
                    "--port (or set SITEWATCH_HOST, SITEWATCH_PORT), or use --no-web."
                ) from None
        if not told:
            say(
                f"The page is not served yet: port {port} is taken, perhaps by another sitewatch. It is tried again "
                "every 2 s; --port or SITEWATCH_PORT sets another port."
            )
            told = True
        stop.wait(TRY_AGAIN_S)
    return None


def page_url(host: str, port: int) -> str:
    """The URL of the page."""
    return urlunsplit(("http", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", "/", "", ""))


def page_url_words(host: str, port: int) -> str:
    """The URL at which the page can be opened, in words where it is open at every address of the machine."""
    if not ip_address(host).is_unspecified:
        return page_url(host, port)
    nearest = "::1" if ":" in host else "127.0.0.1"
    return f"{page_url(nearest, port)} here, and at every other address of this machine"


class _Unfinished(logging.Filter):
    """Says in one line that requests were given up as the page stopped: that is no fault, and needs no traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass, or not."""
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return False
        if str(record.msg).startswith("Cancel %s running task"):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg = "requests unfinished when the page stopped: %s"
        return True


def _serve(site: FastAPI, listener: socket.socket, stop: threading.Event) -> None:
    door = Door(room(), lambda words: _log.warning("the page is crowded", error=words))
    config = uvicorn.Config(
        site,
        # It is called and nothing else.
        http=partial(Guest, door),  # type: ignore[arg-type]
        backlog=BACKLOG,
        # Our own handlers log, without the addresses of readers.
        log_config=None,
        access_log=False,
        server_header=False,
        # Who asks is judged by the connection alone: a header can be forged.
        proxy_headers=False,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    unfinished = _Unfinished()
    uvicorn_log = logging.getLogger("uvicorn.error")
    uvicorn_log.addFilter(unfinished)
    server = _Server(config, site)
    watcher = threading.Thread(target=_end_with, args=(server, stop), name="page", daemon=True)
    watcher.start()
    server.run(sockets=[listener])
    uvicorn_log.removeFilter(unfinished)


def _end_with(server: uvicorn.Server, stop: threading.Event) -> None:
    stop.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    """Leaves signals to the service, and ends the event streams before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, site: FastAPI) -> None:
        super().__init__(config)
        self._site = site

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        def tell(words: str, error: BaseException | None) -> None:
            _log.error("the page's connections", fault=words, error=repr(error))

        asyncio.get_running_loop().set_exception_handler(LoopFaults(tell))
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._site.state.web.pulse.close()
        await super().shutdown(sockets)
