"""A web server of our own on loopback for channels that post: it takes what `judge` lets through, and can be told to fail."""

import threading
from collections.abc import Callable

from tests.kit.fakes.scripted import Answer, Post, ScriptedServer


class WebDesk(ScriptedServer):
    """Use as a context manager; `judge` answers a post, and a status below 300 means that it was taken."""

    def __init__(self, judge: Callable[[Post], Answer]) -> None:
        super().__init__()
        self.judge = judge
        self.taken: list[Post] = []
        self.refused: list[Answer] = []
        self._lock = threading.Lock()

    def judged(self, post: Post) -> Answer:
        with self._lock:
            answer = self.judge(post)
            if answer[0] < 300:
                self.taken.append(post)
            else:
                self.refused.append(answer)
        return answer
