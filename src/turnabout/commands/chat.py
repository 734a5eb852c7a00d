"""Talk to an assistant, or be the assistant and talk to the user model, in the terminal."""

import argparse
from typing import Literal


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Who the model is, and what a user wants."""
    which = options.add_mutually_exclusive_group()
    which.add_argument("--assistant", metavar="MODEL", help="talk to this model: folder, embedded name or Hub id")
    which.add_argument("--user", metavar="MODEL", help="be the assistant of this user model (default: models/user)")
    options.add_argument("--intent", metavar="TEXT", help="what the user wants: You are a user chatting with …")


def execute(assistant: str | None, user: str | None, intent: str | None) -> int:
    """Talk until /quit, the end of the input or Ctrl-C; status 0."""
    import secrets

    from rich.console import Console

    from turnabout.errors import ConfigError
    from turnabout.generation import Sampling
    from turnabout.generation.local.generator import LocalGenerator
    from turnabout.intents.wording import FALLBACK
    from turnabout.models.context_length import get_context_length
    from turnabout.models.loading import TEMPERATURE, TOP_P, USER_MODEL, open_model, open_user
    from turnabout.serving.chat_session import ChatSession
    from turnabout.serving.terminal import Terminal
    from turnabout.serving.user_player import MAX_TOKENS

    speaks: Literal["user", "assistant"] = "user" if assistant is None else "assistant"
    if assistant is not None and intent is not None:
        raise ConfigError("--intent is what a user wants, and with --assistant the user is you; give one of them")
    checkpoint = open_user(user or USER_MODEL) if assistant is None else open_model(assistant)
    talk = ChatSession(
        LocalGenerator(checkpoint, speaks, batch_size=1),
        checkpoint.chat,
        role=speaks,
        sampling=Sampling(MAX_TOKENS, TEMPERATURE, TOP_P, seed=secrets.randbelow(2**31)),
        context_length=get_context_length(checkpoint),
        intent=intent or FALLBACK if speaks == "user" else None,
    )
    Terminal(talk, Console(highlight=False)).run()
    return 0
