"""A web server on loopback that answers as its subclass judges, and can be told to fail, to hang or to drop instead."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
Answer = tuple[int, str, Mapping[str, str]]


@dataclass(frozen=True)
class Scripted:
    """The next answer; `hang` never answers, `drop` closes instead, `keep` takes the post before that."""

    status: int = 200
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False
    keep: bool = False


@dataclass(frozen=True)
class Post:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedServer:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.script: deque[Scripted] = deque()
        self.on_request: Callable[[], None] = lambda: None
        self._released = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with suppress(ConnectionError):
                    fake._answer(self, Post(self.path, headers, body))

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def root(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def judged(self, post: Post) -> Answer:
        """Take or refuse a request; called by several threads."""
        raise NotImplementedError

    def _answer(self, request: BaseHTTPRequestHandler, post: Post) -> None:
        self.on_request()
        scripted = self.script.popleft() if self.script else None
        if scripted is None:
            status, said, headers = self.judged(post)
        else:
            if scripted.keep:
                self.judged(post)
            if scripted.hang:
                self._released.wait(30)
            if scripted.hang or scripted.drop:
                return
            status, said, headers = scripted.status, scripted.body, scripted.headers
        request.send_response(status)
        for name, value in {"Content-Length": str(len(said.encode())), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(said.encode())
