"""A user model served on loopback from a thread of the tests, and a scripted user for it."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from turnabout.core.messages import Message
from turnabout.generation import Completion
from turnabout.serving.app import build_app
from turnabout.serving.user_player import UserPlayer


@contextmanager
def served(player: UserPlayer) -> Iterator[str]:
    """The `base_url` under which `player` answers until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(build_app(player), log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(10)


def asks_twice_and_leaves(prompt: Sequence[Message]) -> Completion:
    """Two questions, then words of farewell with which the person leaves."""
    said = sum(message["role"] == "user" for message in prompt)
    return Completion(f"question {said + 1}?") if said < 2 else Completion("thanks, bye", ended=True)
