"""A server of a user model in a thread of the tests, and a scripted user."""

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
def serve_player(player: UserPlayer) -> Iterator[str]:
    """Serve `player` on loopback until the block ends; yield the `base_url`."""
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


def ask_twice_then_end(prompt: Sequence[Message]) -> Completion:
    """Return one of two questions, then a farewell that ends the conversation."""
    n_turns = sum(message["role"] == "user" for message in prompt)
    return Completion(f"question {n_turns + 1}?") if n_turns < 2 else Completion("thanks, bye", ended=True)
