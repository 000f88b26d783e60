"""A web server of our own on loopback for channels that post: it takes what `judge` lets through, and can be told to fail."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.kit.fakes.slack import Scripted

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Post:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = tuple[int, str, Mapping[str, str]]


class WebDesk:
    """Use as a context manager; `judge` answers a post, and a status below 300 means that it was taken."""

    def __init__(self, judge: Callable[[Post], Answer]) -> None:
        self.judge = judge
        self.script: deque[Scripted] = deque()
        self.taken: list[Post] = []
        self.refused: list[Answer] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with suppress(ConnectionError):
                    desk._answer(self, Post(self.path, headers, body))

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

    def _answer(self, request: BaseHTTPRequestHandler, post: Post) -> None:
        scripted = self.script.popleft() if self.script else None
        answer: Answer = (200, "", {})
        if scripted is None or scripted.keep:
            with self._lock:
                answer = self.judge(post)
                if answer[0] < 300:
                    self.taken.append(post)
                else:
                    self.refused.append(answer)
        if scripted is not None and (scripted.hang or scripted.drop):
            if scripted.hang:
                self._released.wait(30)
            return
        if scripted is not None:
            answer = (scripted.status, scripted.body, scripted.headers)
        status, said, headers = answer
        request.send_response(status)
        for name, value in {"Content-Length": str(len(said.encode())), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(said.encode())
