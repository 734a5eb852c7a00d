"""Simulated conversations: a user model and an assistant in turn, many at once, every message on record."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl
from pydantic import Field, model_validator

from turnabout.core import schemas
from turnabout.core.config import Count, Section
from turnabout.core.messages import Message
from turnabout.generation import Generator, Sampling
from turnabout.models.chat_format import ChatFormat
from turnabout.simulation.guards import UserGuard
from turnabout.simulation.users import Situation, User


class Simulate(Section):
    user: Literal["trained", "prompted"]
    """Who plays the user: the trained user model, or the backbone told to act as one."""
    conversations: Count
    max_exchanges: Count
    min_exchanges: Count
    """Replies the user waits for before it may leave; as many as `max_exchanges`: it never leaves (as in the paper)."""
    user_tokens: Count
    assistant_tokens: Count
    max_prompt_tokens: Count
    temperature: float = Field(ge=0)
    """0 is greedy."""
    top_p: float = Field(gt=0, le=1)
    min_words: Count
    max_words: Count
    forbidden_openings: tuple[str, ...]
    """First words of a user turn that are drawn again, case sensitive; the paper's: I, You, Here."""
    max_resamples: int = Field(ge=0)

    @model_validator(mode="after")
    def _some_length_is_allowed(self) -> "Simulate":
        if self.min_words > self.max_words:
            raise ValueError(f"min_words: {self.min_words} is more than max_words, {self.max_words}")
        return self


@dataclass
class Rollout:
    """One conversation while it goes on."""

    task_id: str
    intent: str
    history: list[Message] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    ended_by: str | None = None

    def add(self, role: str, text: str, resamples: int = 0, faults: Sequence[str] = ()) -> None:
        """Append one message."""
        if text:
            self.history.append({"role": role, "content": text})
        self.rows.append({"role": role, "text": text, "resamples": resamples, "faults": list(faults)})


def simulate(
    user: User, assistant: Generator, chat: ChatFormat, tasks: pl.DataFrame, settings: Simulate, policy: str, seed: int
) -> pl.DataFrame:
    """One row per message (`schemas.ROLLOUTS`), sorted, of one conversation per task (`conversation_id`, `intent`).

    A conversation ends when the user leaves (`end_token`), writes nothing at all (`silence`), or after `max_exchanges`
    (`max_turns`). The user may leave after `min_exchanges`, at the earliest after its first message. Both sides see the
    newest messages that fit `max_prompt_tokens`, counted by `chat`.
    """
    window = (settings.min_words, settings.max_words, settings.max_resamples)
    guard = UserGuard(*window, settings.forbidden_openings)
    user_sampling = Sampling(settings.user_tokens, settings.temperature, settings.top_p, seed)
    assistant_sampling = user_sampling._replace(max_new_tokens=settings.assistant_tokens)
    running = [Rollout(task_id, intent) for task_id, intent in tasks.select("conversation_id", "intent").iter_rows()]
    for exchange in range(settings.max_exchanges):
        speakers = [rollout for rollout in running if rollout.ended_by is None]
        draw = user_sampling._replace(seed=user_sampling.seed + exchange, may_end=exchange >= settings.min_exchanges)
        seen = [Situation(r.intent, chat.fit(r.history, settings.max_prompt_tokens)) for r in speakers]
        for rollout, said in zip(speakers, guard.speak(user, seen, draw) if speakers else [], strict=True):
            rollout.add("user", said.turn.text, said.resamples, said.faults)
            rollout.ended_by = "end_token" if said.turn.ended else None if said.turn.text else "silence"
        listeners = [rollout for rollout in speakers if rollout.ended_by is None]
        prompts = [chat.fit(r.history, settings.max_prompt_tokens) for r in listeners]
        reply = assistant_sampling._replace(seed=assistant_sampling.seed + exchange)
        for rollout, answer in zip(listeners, assistant.generate(prompts, reply) if prompts else [], strict=True):
            rollout.add("assistant", answer.text)
    return _table(running, user.name, policy, user_sampling.seed)


def _table(rollouts: Sequence[Rollout], simulator: str, policy: str, seed: int) -> pl.DataFrame:
    rows = [
        {
            "conversation_id": f"{policy}:{rollout.task_id}",
            "task_id": rollout.task_id,
            "turn": turn,
            "intent": rollout.intent,
            "ended_by": (rollout.ended_by or "max_turns") if turn == len(rollout.rows) - 1 else None,
            "simulator": simulator,
            "policy": policy,
            "seed": seed,
            **row,
        }
        for rollout in rollouts
        for turn, row in enumerate(rollout.rows)
    ]
    return pl.DataFrame(rows, schema=schemas.ROLLOUTS).sort("conversation_id", "turn")
