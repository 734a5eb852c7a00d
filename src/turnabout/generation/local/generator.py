"""A local transformers model as a generator: batched, sorted by length, shared beginnings read once, repeatable."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Sampling, TurnScore
from turnabout.generation.local.continuations import compute_continuation_logps
from turnabout.generation.local.prefill import prefill_cache
from turnabout.generation.store import AnswerStore
from turnabout.generation.turns import list_end_ids, encode_prefill, decode_turn
from turnabout.models.checkpoints import Checkpoint

#: A stored answer is what these files made of a model's tokens: with other code it has to be made again.
_FILES = [
    *(Path(__file__).with_name(name) for name in ("generator.py", "prefill.py")),
    Path(__file__).parents[1] / "turns.py",
]
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()


class LocalGenerator:
    """`checkpoint` writing the turns of the role `speaks`, `batch_size` prompts at a time.

    Batches depend only on the prompts given, so that the same call gives the same answers; with a `store`, batches
    answered before (an interrupted run) are read instead of generated. Draws of one prompt, which come together, read
    it once.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        speaks: Literal["user", "assistant"],
        batch_size: int,
        store: AnswerStore | None = None,
    ) -> None:
        self.name = checkpoint.name
        self.checkpoint = checkpoint
        self.speaks = speaks
        self.batch_size = batch_size
        self.store = store

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """One completion per prompt, in order."""
        chat = self.checkpoint.chat
        first = encode_prefill(chat, sampling.prefill)
        ids = [[*chat.encode_prompt(prompt, self.speaks), *first] for prompt in prompts]
        order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i], i))
        answers: dict[int, Completion] = {}
        with tqdm(total=len(ids), desc=f"{self.name} writes", unit="turn", disable=None) as bar:
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                answers.update(zip(batch, self._answer([ids[i] for i in batch], sampling, start), strict=True))
                bar.update(len(batch))
        return [answers[i] for i in range(len(ids))]

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """For each prompt, how likely each of its `turns` is as the next one of the role that speaks.

        Not stored: nothing is drawn, and reading the texts again costs a fraction of having written them.
        """
        chat = self.checkpoint.chat
        rows = [chat.encode_prompt(prompt, self.speaks) for prompt in prompts]
        ids = [[chat.encode_completion(turn) for turn in of_prompt] for of_prompt in turns]
        found = compute_continuation_logps(self.checkpoint.model, rows, ids, self.batch_size, f"{self.name} reads")
        return [[TurnScore(float(logps.sum(dtype=float)), len(logps)) for logps in of_prompt] for of_prompt in found]

    def _answer(self, rows: list[list[int]], sampling: Sampling, start: int) -> list[Completion]:
        chat = self.checkpoint.chat
        request = [CODE, str(self.checkpoint.model.device), chat.end_of_conversation_id, rows, start, sampling]
        if self.store is None:
            return self._draw(rows, sampling, start)
        if (kept := self.store.get(request)) is not None:
            return kept
        return self.store.put(request, self._draw(rows, sampling, start))

    def _draw(self, rows: list[list[int]], sampling: Sampling, start: int) -> list[Completion]:
        import torch
        from transformers import GenerationConfig

        model, chat = self.checkpoint.model, self.checkpoint.chat
        width = max(map(len, rows))
        padded = torch.tensor([[chat.end_of_turn_id] * (width - len(row)) + row for row in rows])
        attention = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        ends = list_end_ids(chat)
        drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=sampling.temperature > 0,
            **(drawn if sampling.temperature else {}),
            eos_token_id=ends,
            pad_token_id=chat.end_of_turn_id,
            suppress_tokens=None if sampling.may_end or len(ends) == 1 else ends[1:],
        )
        torch.manual_seed(sampling.seed + start)
        with torch.inference_mode():
            out = model.generate(  # type: ignore[operator]
                input_ids=padded.to(model.device),
                attention_mask=attention.to(model.device),
                past_key_values=prefill_cache(model, rows, padded, attention),
                generation_config=config,
            )
        return [decode_turn(chat, row, sampling.prefill) for row in out[:, width:].tolist()]
