"""A wire that can be cut: a TCP proxy on loopback between the program and whatever it speaks to."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Fault = Literal["delay", "cut", "reset", "half-close", "black hole"]
FAULTS: tuple[Fault, ...] = ("delay", "cut", "reset", "half-close", "black hole")
"""An answer that comes late; one that ends, or is torn off, in its midst; a side that says no more; nothing at all."""

PASSED = 20
"""So many bytes of an answer come through before the fault."""
LATE_S = 0.02
_CHUNK = 65_536


class Proxy:
    """Use as a context manager; `fail` spoils what goes through from then on, `heal` ends that and every spoilt line."""

    def __init__(self, target: Callable[[], socket.socket]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self._fault: Fault | None = None
        self._thread = threading.Thread(target=self._accept)
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.heal()

    def fail(self, fault: Fault) -> None:
        """Spoil every line, also those that are open."""
        with self._lock:
            self._fault = fault
            for line in self._lines:
                line.spoil(fault)

    def heal(self) -> None:
        """Let new lines through whole; those that are open end."""
        with self._lock:
            self._fault, lines, self._lines = None, self._lines, []
        for line in lines:
            line.end()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._lines.append(_Line(client, self._target(), self._fault))


class _Line:
    """One connection and its other half, pumped by a thread each way."""

    def __init__(self, client: socket.socket, server: socket.socket, fault: Fault | None) -> None:
        self._client, self._server = client, server
        self._fault, self._left = fault, PASSED
        self._late = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._ask, self._answer)]
        for thread in self._threads:
            thread.start()

    def spoil(self, fault: Fault) -> None:
        """From here on it fails."""
        self._fault, self._left = fault, PASSED

    def end(self) -> None:
        """Close both sides, and wait for the threads."""
        for side in (self._client, self._server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _ask(self) -> None:
        with suppress(OSError):
            while chunk := self._client.recv(_CHUNK):
                if self._fault != "black hole":
                    self._server.sendall(chunk)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_WR)

    def _answer(self) -> None:
        with suppress(OSError):
            while chunk := self._server.recv(_CHUNK):
                if not self._pass_on(chunk):
                    return
            self._client.shutdown(socket.SHUT_WR)

    def _pass_on(self, chunk: bytes) -> bool:
        """Hand over what the fault lets through; False once nothing more comes."""
        fault = self._fault
        if fault == "black hole":
            return True
        if fault in (None, "delay"):
            self._late.wait(LATE_S if fault else 0)
            self._client.sendall(chunk)
            return True
        self._client.sendall(chunk[: self._left])
        self._left -= len(chunk[: self._left])
        if self._left:
            return True
        if fault == "reset":
            # Without lingering the system tears the line off instead of ending it.
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if fault == "half-close":
            self._client.shutdown(socket.SHUT_WR)
        else:
            self._client.shutdown(socket.SHUT_RD)
            self._client.close()
        return False
