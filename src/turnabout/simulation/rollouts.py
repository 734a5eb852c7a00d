"""Simulated conversations between a user model and an assistant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl
from pydantic import Field, model_validator

from turnabout.core import schemas
from turnabout.core.config import Count, Section
from turnabout.core.messages import Message
from turnabout.generation import Completion, Generator, Sampling
from turnabout.models.chat_format import ChatFormat
from turnabout.simulation.guards import UserGuard
from turnabout.simulation.users import Situation, User

#: `ended_by` of a conversation, and fault of a message, that reached its token limit.
CUT_OFF = "cut_off"


class Simulate(Section):
    """Section `simulate` of params.yaml."""

    user: Literal["trained", "prompted"]
    """Model that plays the user: the trained user model, or the backbone prompted to act as a user."""
    conversations: Count
    max_exchanges: Count
    min_exchanges: Count
    """Replies before the user may end the conversation; if equal to `max_exchanges`, it never ends it (as in the
    paper)."""
    user_tokens: Count
    assistant_tokens: Count
    max_prompt_tokens: Count
    temperature: float = Field(ge=0)
    """0 is greedy."""
    top_p: float = Field(gt=0, le=1)
    min_words: Count
    max_words: Count
    forbidden_openings: tuple[str, ...]
    """First words for which a user turn is sampled again, case sensitive; the paper's are I, You, Here."""
    max_resamples: int = Field(ge=0)

    @model_validator(mode="after")
    def _check_word_limits(self) -> "Simulate":
        if self.min_words > self.max_words:
            raise ValueError(
                f"min_words: {self.min_words} is more than max_words, {self.max_words}; lower it or raise max_words"
            )
        return self


@dataclass
class Rollout:
    """One conversation during the simulation."""

    task_id: str
    intent: str
    history: list[Message] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    ended_by: str | None = None

    def add(self, role: str, text: str, resamples: int = 0, faults: Sequence[str] = ()) -> None:
        """Append one message; an empty one only to the rows."""
        if text:
            self.history.append({"role": role, "content": text})
        self.rows.append({"role": role, "text": text, "resamples": resamples, "faults": list(faults)})


def simulate_conversations(
    user: User,
    assistant: Generator,
    tasks: pl.DataFrame,
    *,
    chat: ChatFormat,
    settings: Simulate,
    policy: str,
    seed: int,
) -> pl.DataFrame:
    """Simulate one conversation for each task (`conversation_id`, `intent`).

    Returns one row per message (`schemas.ROLLOUTS`), sorted. A conversation ends when the user ends it (`end_token`),
    when the user writes nothing (`silence`), when a message is cut off at its token limit (`cut_off`, because nobody
    can answer half a message), or after `max_exchanges` (`max_turns`). The user may end it after
    `min_exchanges`, and not before its first message. Both sides read the newest messages that fit
    `max_prompt_tokens`, counted with `chat`. `policy` is the assistant's name in the table.
    """
    guard = UserGuard(
        min_words=settings.min_words,
        max_words=settings.max_words,
        max_resamples=settings.max_resamples,
        forbidden_openings=settings.forbidden_openings,
    )
    user_sampling = Sampling(settings.user_tokens, temperature=settings.temperature, top_p=settings.top_p, seed=seed)
    assistant_sampling = user_sampling._replace(max_new_tokens=settings.assistant_tokens)
    rollouts = [Rollout(task_id, intent) for task_id, intent in tasks.select("conversation_id", "intent").iter_rows()]
    for exchange in range(settings.max_exchanges):
        waiting_for_user = [rollout for rollout in rollouts if rollout.ended_by is None]
        sampling = user_sampling._replace(seed=seed + exchange, may_end=exchange >= settings.min_exchanges)
        situations = [
            Situation(r.intent, chat.keep_newest(r.history, settings.max_prompt_tokens)) for r in waiting_for_user
        ]
        guarded_turns = guard.speak(user, situations, sampling) if situations else []
        for rollout, guarded in zip(waiting_for_user, guarded_turns, strict=True):
            rollout.add("user", guarded.turn.text, guarded.resamples, guarded.faults)
            rollout.ended_by = _find_ending(guarded.turn)
        waiting_for_reply = [rollout for rollout in waiting_for_user if rollout.ended_by is None]
        prompts = [chat.keep_newest(r.history, settings.max_prompt_tokens) for r in waiting_for_reply]
        replies = assistant.generate(prompts, assistant_sampling._replace(seed=seed + exchange)) if prompts else []
        for rollout, reply in zip(waiting_for_reply, replies, strict=True):
            rollout.add("assistant", reply.text, faults=[CUT_OFF] if reply.truncated else [])
            rollout.ended_by = CUT_OFF if reply.truncated else None
    return _build_table(rollouts, simulator=user.name, policy=policy, seed=seed)


def _find_ending(turn: Completion) -> str | None:
    """Return how a user turn ends its conversation, or None."""
    if turn.ended:
        return "end_token"
    if turn.truncated:
        return CUT_OFF
    return None if turn.text else "silence"


def _build_table(rollouts: Sequence[Rollout], *, simulator: str, policy: str, seed: int) -> pl.DataFrame:
    """Return the rows of all messages; the last of each one has `ended_by`."""
    rows: list[dict[str, Any]] = []
    for rollout in rollouts:
        for turn, row in enumerate(rollout.rows):
            is_last = turn == len(rollout.rows) - 1
            rows.append(
                {
                    "conversation_id": f"{policy}:{rollout.task_id}",
                    "task_id": rollout.task_id,
                    "turn": turn,
                    "intent": rollout.intent,
                    "ended_by": (rollout.ended_by or "max_turns") if is_last else None,
                    "simulator": simulator,
                    "policy": policy,
                    "seed": seed,
                    **row,
                }
            )
    return pl.DataFrame(rows, schema=schemas.ROLLOUTS).sort("conversation_id", "turn")
