"""A local transformers model as a generator.

Prompts are batched by length, shared prefixes are computed once, and answers are repeatable.
"""

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
from turnabout.generation.turns import decode_turn, encode_prefill, list_end_ids
from turnabout.models.checkpoints import Checkpoint

#: Files that decide which answer a model's tokens become. Their hash is part of the key of every stored answer, so that
#: other code makes its own answers.
_FILES = [
    *(Path(__file__).with_name(name) for name in ("generator.py", "prefill.py")),
    Path(__file__).parents[1] / "turns.py",
]
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()


class LocalGenerator:
    """`checkpoint`, writing the turns of the role `speaks`.

    It answers `batch_size` prompts at a time. Batches depend only on the prompts given, so the same call gives the same
    answers. With a `store`, batches answered before (by an interrupted run) are read instead of generated. Repeated
    prompts come together, so that their prompt is read once.
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
        """Return one completion per prompt, in order."""
        chat = self.checkpoint.chat
        prefill = encode_prefill(chat, sampling.prefill)
        ids = [[*chat.encode_prompt(prompt, self.speaks), *prefill] for prompt in prompts]
        order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i], i))
        answers: dict[int, Completion] = {}
        with tqdm(total=len(ids), desc=f"{self.name} writes", unit="turn", disable=None) as bar:
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                answers.update(zip(batch, self._answer([ids[i] for i in batch], sampling, start), strict=True))
                bar.update(len(batch))
        return [answers[i] for i in range(len(ids))]

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Return the score of each turn as the next one, shaped like `turns`.

        `turns` has the candidate turns of each prompt. Scores are not stored: nothing is drawn, and reading texts costs
        a fraction of writing them.
        """
        chat = self.checkpoint.chat
        prompt_ids = [chat.encode_prompt(prompt, self.speaks) for prompt in prompts]
        turn_ids = [chat.encode_completions(prompt_turns) for prompt_turns in turns]
        all_logps = compute_continuation_logps(
            self.checkpoint.model, prompt_ids, turn_ids, batch_size=self.batch_size, desc=f"{self.name} reads"
        )
        scores = []
        for prompt_logps in all_logps:
            scores.append([TurnScore(float(logps.sum(dtype=float)), len(logps)) for logps in prompt_logps])
        return scores

    def _answer(self, rows: list[list[int]], sampling: Sampling, start: int) -> list[Completion]:
        """Return the answers to one batch of encoded prompts.

        From the store where it has them.
        """
        chat = self.checkpoint.chat
        request = [CODE, str(self.checkpoint.model.device), chat.end_of_conversation_id, rows, start, sampling]
        if self.store is None:
            return self._draw(rows, sampling, start)
        if (stored := self.store.get(request)) is not None:
            return stored
        return self.store.put(request, self._draw(rows, sampling, start))

    def _draw(self, rows: list[list[int]], sampling: Sampling, start: int) -> list[Completion]:
        """Generate the answers to one batch.

        `start` is its offset in the call and part of its seed.
        """
        import torch
        from transformers import GenerationConfig

        model, chat = self.checkpoint.model, self.checkpoint.chat
        width = max(map(len, rows))
        padded = torch.tensor([[chat.end_of_turn_id] * (width - len(row)) + row for row in rows])
        attention = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        end_ids = list_end_ids(chat)
        drawing = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=sampling.temperature > 0,
            **(drawing if sampling.temperature else {}),
            eos_token_id=end_ids,
            pad_token_id=chat.end_of_turn_id,
            suppress_tokens=None if sampling.may_end or len(end_ids) == 1 else end_ids[1:],
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
