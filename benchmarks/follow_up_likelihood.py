"""Follow-up likelihood: our token tree against one padded row per follow-up through plain transformers, same model."""

import time
from collections.abc import Sequence
from itertools import islice

import torch

from turnabout import backbones
from turnabout.follow_ups import follow_up_likelihood, load_phrases
from turnabout.follow_ups.phrases import Phrases
from turnabout.generation import Message
from turnabout.sources.chitchat import Chitchat

N_CONTEXTS, N_MESSAGES, BATCH = 8, 10, 16
BACKBONE = "smollm2-135m-instruct"


def contexts() -> list[list[Message]]:
    """The first ten messages of conversations that have as many, the last one an assistant's."""
    talk = next(iter(Chitchat(format="chitchat").batches())).messages
    whole = (group for _, group in talk.group_by("conversation_id", maintain_order=True) if group.height >= N_MESSAGES)
    return [
        [{"role": m["role"], "content": m["text"]} for m in group.head(N_MESSAGES).iter_rows(named=True)]
        for group in islice(whole, N_CONTEXTS)
    ]


def padded_rows(checkpoint: backbones.Checkpoint, asked: Sequence[Sequence[Message]], phrases: Phrases) -> list[float]:
    """The same reward from full rows (context and follow-up), right-padded, `BATCH` at a time."""
    chat, texts = checkpoint.chat, [*phrases.positive, *phrases.negative]
    rows = [(chat.prompt_ids(c, "user"), chat.completion_ids(text)) for c in asked for text in texts]
    means: list[float] = []
    for begin in range(0, len(rows), BATCH):
        batch = rows[begin : begin + BATCH]
        width = max(len(p) + len(c) for p, c in batch)
        ids = torch.tensor([p + c + [0] * (width - len(p) - len(c)) for p, c in batch])
        mask = torch.tensor([[1] * (len(p) + len(c)) + [0] * (width - len(p) - len(c)) for p, c in batch])
        with torch.inference_mode():
            logps = checkpoint.model(input_ids=ids, attention_mask=mask, use_cache=False).logits.float().log_softmax(-1)
        for row, (prompt, completion) in enumerate(batch):
            at = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
            means.append(float(logps[row, list(at), completion].mean()))
    n, k = len(phrases.positive), len(texts)
    each = [means[i : i + k] for i in range(0, len(means), k)]
    return [sum(m[:n]) / n - sum(m[n:]) / (k - n) for m in each]


def main() -> None:
    checkpoint = backbones.load_named(BACKBONE, "float32")
    phrases = load_phrases(per_dimension=2)
    phrases = phrases._replace(positive=phrases.positive[:10], negative=phrases.negative[:10])
    asked = contexts()
    follow_up_likelihood(checkpoint, asked[:2], phrases, BATCH)  # warm-up
    began = time.perf_counter()
    ours = follow_up_likelihood(checkpoint, asked, phrases, BATCH)
    between = time.perf_counter()
    theirs = padded_rows(checkpoint, asked, phrases)
    seconds = between - began, time.perf_counter() - between
    gap = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    print(f"{len(asked)} contexts x {len(phrases.positive) + len(phrases.negative)} follow-ups, float32, {BACKBONE}")
    print(f"token tree {seconds[0]:.1f} s, padded rows {seconds[1]:.1f} s: {seconds[1] / seconds[0]:.1f} times as fast")
    print(f"largest difference {gap:.1e} nats per token")
    assert gap < 1e-3, "the two must agree"


if __name__ == "__main__":
    main()
