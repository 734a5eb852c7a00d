"""Serve a user model that plays the user, as an OpenAI-compatible endpoint.

A caller sends what the user wants as the system message, and the conversation so far; the answer is the user's next
turn (docs/serving.md). The server runs until Ctrl-C.
"""

import argparse
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from turnabout.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST, PORT = "127.0.0.1", 8010


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the model, the address and the mark of the conversation's end."""
    options.epilog = "example: turnabout serve-user models/user --port 8010"
    options.add_argument(
        "model", nargs="?", default="models/user", help="user model: a folder or Hub id (default: %(default)s)"
    )
    options.add_argument("--port", type=int, default=PORT, help="port; 0 takes a free one (default: %(default)s)")
    options.add_argument(
        "--host",
        default=HOST,
        help="address; there is no key, so everybody who reaches it can use the model (default: %(default)s)",
    )
    options.add_argument(
        "--end-marker",
        metavar="TEXT",
        help="text that marks the end of the conversation, after the user's last turn (default: the model's own token, "
        "<|endconversation|>)",
    )
    options.add_argument(
        "--max-prompt-tokens",
        type=int,
        metavar="N",
        help="leave out the oldest messages of longer conversations (default: refuse conversations that exceed the "
        "model's context)",
    )


def execute(model: str, port: int, host: str, end_marker: str | None, max_prompt_tokens: int | None) -> int:
    """Serve until Ctrl-C or SIGTERM; return status 0."""
    if end_marker is not None and not end_marker.strip():
        raise ConfigError("--end-marker: the text is empty; give one that no person writes, such as ###STOP###")
    if max_prompt_tokens is not None and max_prompt_tokens < 1:
        raise ConfigError(f"--max-prompt-tokens: {max_prompt_tokens} is not allowed; give 1 or more")
    listener = _open_listener(host, port)
    with listener:
        from turnabout.generation.local.generator import LocalGenerator
        from turnabout.models.chat_format import END_OF_CONVERSATION
        from turnabout.models.context_length import get_context_length
        from turnabout.models.loading import open_user
        from turnabout.serving.app import build_app
        from turnabout.serving.request import MAX_DRAWS
        from turnabout.serving.user_player import UserPlayer

        user = open_user(model)
        generator = LocalGenerator(user, "user", batch_size=MAX_DRAWS)
        marker = end_marker or END_OF_CONVERSATION
        player = UserPlayer(
            generator,
            user.chat,
            context_length=get_context_length(user),
            max_prompt_tokens=max_prompt_tokens,
            marker=marker,
        )
        _print_usage(model, listener, marker)
        _run_server(build_app(player), listener)
    return 0


def _open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket, before any weights are read.

    Raises `ConfigError` if the address cannot be used.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--host {host} --port {port}: {error}; give another port, or 0 for a free one") from error


def _print_usage(model: str, listener: socket.socket, marker: str) -> None:
    """Print the address and an example request."""
    import json

    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    if host not in (HOST, "::1"):
        print(f"There is no key: everybody who reaches {host} can use the model.")
    print(f"{model} plays the user at {url} (models: user, user:flipped), and ends a conversation with {marker}")
    intent = "You are a user chatting with an assistant language model to talk about trains."
    body = json.dumps({"model": "user", "messages": [{"role": "system", "content": intent}]})
    print(f"  curl {url}/chat/completions -H 'Content-Type: application/json' -d '{body}'")
    print("Ctrl-C ends the server.", flush=True)


def _run_server(app: "FastAPI", listener: socket.socket) -> None:
    """Serve until a signal arrives; finish running requests first."""
    import uvicorn

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
