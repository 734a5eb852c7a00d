"""A local transformers model as a generator: batched, sorted by length, repeatable draw for draw."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tqdm import tqdm

from turnabout.backbones import Checkpoint
from turnabout.generation.base import Completion, Message, Sampling
from turnabout.generation.store import AnswerStore

if TYPE_CHECKING:
    from torch import Tensor


#: A stored answer is what this file made of a model's tokens: with other code it has to be made again.
CODE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


class LocalGenerator:
    """`checkpoint` writing the turns of the role `speaks`, `batch_size` prompts at a time.

    Batches depend only on the prompts given, so that the same call gives the same answers; with a `store`, batches
    answered before (an interrupted run) are read instead of generated.
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
        prefill = chat.tokenizer(sampling.prefill, add_special_tokens=False).input_ids if sampling.prefill else []
        ids = [[*chat.prompt_ids(prompt, self.speaks), *prefill] for prompt in prompts]
        order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))
        answers: dict[int, Completion] = {}
        with tqdm(total=len(ids), desc=f"{self.name} writes", unit="turn", disable=None) as bar:
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                answers.update(zip(batch, self._answer([ids[i] for i in batch], sampling, start), strict=True))
                bar.update(len(batch))
        return [answers[i] for i in range(len(ids))]

    def _answer(self, rows: list[list[int]], sampling: Sampling, start: int) -> list[Completion]:
        chat = self.checkpoint.chat
        request = [CODE, str(self.checkpoint.model.device), chat.end_of_conversation_id, rows, start, sampling]
        if self.store is None:
            return self._draw(rows, sampling, start)
        if (kept := self.store.get(request)) is not None:
            return kept
        answers = self._draw(rows, sampling, start)
        self.store.put(request, answers)
        return answers

    def _draw(self, rows: list[list[int]], sampling: Sampling, start: int) -> list[Completion]:
        import torch
        from transformers import GenerationConfig

        model, chat = self.checkpoint.model, self.checkpoint.chat
        width = max(map(len, rows))
        padded = torch.tensor([[chat.end_of_turn_id] * (width - len(row)) + row for row in rows])
        attention = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        ends = [token for token in (chat.end_of_turn_id, chat.end_of_conversation_id) if token is not None]
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
                input_ids=padded.to(model.device), attention_mask=attention.to(model.device), generation_config=config
            )
        return [self._read(row, sampling) for row in out[:, width:]]

    def _read(self, row: "Tensor", sampling: Sampling) -> Completion:
        """The text up to the first end token. Words before an end-of-conversation token are the last message."""
        chat, ids = self.checkpoint.chat, row.tolist()
        stops = [i for i, token in enumerate(ids) if token in (chat.end_of_turn_id, chat.end_of_conversation_id)]
        text = str(chat.tokenizer.decode(ids[: stops[0]] if stops else ids, skip_special_tokens=True))
        ended = bool(stops) and ids[stops[0]] == chat.end_of_conversation_id
        return Completion((sampling.prefill + text).strip(), ended, truncated=not stops)
