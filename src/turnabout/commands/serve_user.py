"""Serve a user model as an OpenAI-compatible endpoint that plays the user (docs/serving.md), until Ctrl-C.

A caller sends what the person wants as system message and the conversation so far; the answer is their next turn.
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
    """Which model, where, and how it says that the user left."""
    options.add_argument("model", nargs="?", default="models/user", help="folder or Hub id (default: %(default)s)")
    options.add_argument("--port", type=int, default=PORT, help="0 takes a free one (default: %(default)s)")
    options.add_argument("--host", default=HOST, help="there is no key: whoever reaches it may ask (%(default)s)")
    options.add_argument(
        "--leaves-with",
        metavar="TEXT",
        help="what ends the last turn of a user who leaves (default: the model's own token, <|endconversation|>)",
    )
    options.add_argument(
        "--max-prompt-tokens",
        type=int,
        metavar="N",
        help="leave out the oldest messages of longer conversations (default: refuse what the model cannot read)",
    )


def execute(model: str, port: int, host: str, leaves_with: str | None, max_prompt_tokens: int | None) -> int:
    """Serve until Ctrl-C or SIGTERM; status 0."""
    if leaves_with is not None and not leaves_with.strip():
        raise ConfigError("--leaves-with: no text came; give one that no person writes, such as ###STOP###")
    if max_prompt_tokens is not None and max_prompt_tokens < 1:
        raise ConfigError(f"--max-prompt-tokens: {max_prompt_tokens} came; give 1 or more")
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
        speaker = LocalGenerator(user, "user", batch_size=MAX_DRAWS)
        marker = leaves_with or END_OF_CONVERSATION
        player = UserPlayer(
            speaker,
            user.chat,
            context_length=get_context_length(user),
            max_prompt_tokens=max_prompt_tokens,
            marker=marker,
        )
        _print_usage(model, listener, marker)
        _run_server(build_app(player), listener)
    return 0


def _open_listener(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ConfigError` where it cannot be had, before any weights are read."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--host {host} --port {port}: {error}; give another port, or 0 for a free one") from error


def _print_usage(model: str, listener: socket.socket, marker: str) -> None:
    import json

    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    if host not in (HOST, "::1"):
        print(f"Everybody who reaches {host} may ask: there is no key.")
    print(f"{model} plays the user at {url} (models: user, user:flipped), and leaves with {marker}")
    intent = "You are a user chatting with an assistant language model to talk about trains."
    body = json.dumps({"model": "user", "messages": [{"role": "system", "content": intent}]})
    print(f"  curl {url}/chat/completions -H 'Content-Type: application/json' -d '{body}'")
    print("Ctrl-C ends it.", flush=True)


def _run_server(app: "FastAPI", listener: socket.socket) -> None:
    """Answer until a signal comes; a request that is being answered is answered first."""
    import uvicorn

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
