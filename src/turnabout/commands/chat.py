"""Chat in the terminal with the user model or with an assistant.

With the user model you are the assistant; with an assistant you are the user.
"""

import argparse
from typing import Literal


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the model and the intent."""
    options.epilog = (
        "example: turnabout chat --intent 'You are a user chatting with an assistant language model to plan a trip.'"
    )
    model = options.add_mutually_exclusive_group()
    model.add_argument(
        "--assistant", metavar="MODEL", help="assistant to chat with: a model folder, embedded name or Hub id"
    )
    model.add_argument(
        "--user",
        metavar="MODEL",
        help="user model to chat with: a model folder or Hub id (default: models/user)",
    )
    options.add_argument(
        "--intent",
        metavar="TEXT",
        help="what the user model wants, as an instruction to it (default: a general intent)",
    )


def execute(assistant: str | None, user: str | None, intent: str | None) -> int:
    """Chat until /quit, the end of the input or Ctrl-C; return status 0."""
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

    role: Literal["user", "assistant"] = "user" if assistant is None else "assistant"
    if assistant is not None and intent is not None:
        raise ConfigError("--intent is what a user model wants, and with --assistant the user is you; give one of them")
    checkpoint = open_user(user or USER_MODEL) if assistant is None else open_model(assistant)
    session = ChatSession(
        LocalGenerator(checkpoint, role, batch_size=1),
        checkpoint.chat,
        role=role,
        sampling=Sampling(MAX_TOKENS, TEMPERATURE, TOP_P, seed=secrets.randbelow(2**31)),
        context_length=get_context_length(checkpoint),
        intent=intent or FALLBACK if role == "user" else None,
    )
    Terminal(session, Console(highlight=False)).run()
    return 0
