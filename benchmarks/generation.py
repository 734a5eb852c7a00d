"""Speed of generation with shared prefixes, against plain `model.generate`.

    python -m benchmarks.generation [--rounds 3] [--new-tokens 32]

Both sides get the same prompts; ours reads a prefix that prompts share only once. There are two cases: four draws of
each prompt, and different prompts after one instruction of 200 tokens. Batches hold 32 prompts, sorted by length on
both sides, in bfloat16 as in the default settings. Both sides take turns; the ratio is the median over rounds, in
processor seconds, which other work on the machine changes little. The answers are compared in float32, where no
rounding hides a mistake.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

from benchmarks.follow_up_speed import BACKBONE, load_contexts
from turnabout.core.messages import Message
from turnabout.generation import Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.checkpoints import Checkpoint, load_embedded

BATCH_SIZE = 32
DRAWS = 4
N_PROMPTS = {"draws": 8, "instruction": 32}

#: Text of the instruction; repeated up to 200 tokens.
INSTRUCTION = "Read the conversation and answer its last message kindly, in one short line, without any list. "
INSTRUCTION_TOKENS = 200


def main() -> None:
    """Measure both sides in both cases and print the ratios."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--rounds", type=int, default=3)
    cli.add_argument("--new-tokens", type=int, default=32)
    options = cli.parse_args()
    checkpoint, exact = load_embedded(BACKBONE, "bfloat16"), load_embedded(BACKBONE, "float32")
    sampling = Sampling(options.new_tokens, temperature=0.7, top_p=0.9, seed=1)
    repeated = f"{DRAWS} draws of each of {N_PROMPTS['draws']} prompts of about 128 tokens"
    instructed = f"{N_PROMPTS['instruction']} prompts of about 40 tokens behind {INSTRUCTION_TOKENS} shared"
    cases = {repeated: build_repeated_prompts(checkpoint), instructed: build_instructed_prompts(checkpoint)}
    for name, prompts in cases.items():
        exact_answers = generate_with_shared_prefixes(exact, prompts, sampling)
        same = exact_answers == generate_with_transformers(exact, prompts, sampling)
        shared_seconds, plain_seconds = [], []
        for _ in range(options.rounds):
            run_shared = partial(generate_with_shared_prefixes, checkpoint, prompts, sampling)
            shared_seconds.append(measure_processor_seconds(run_shared))
            run_plain = partial(generate_with_transformers, checkpoint, prompts, sampling)
            plain_seconds.append(measure_processor_seconds(run_plain))
        ratios = sorted(plain / shared for shared, plain in zip(shared_seconds, plain_seconds, strict=True))
        print(f"{name}, {options.new_tokens} new ones: {'the same' if same else 'OTHER'} answers in float32")
        for side, seconds in {"shared": shared_seconds, "plain": plain_seconds}.items():
            print(f"  {side}: {statistics.median(seconds):.1f} processor s")
        print(f"  {statistics.median(ratios):.2f} times as fast (rounds: {', '.join(f'{r:.2f}' for r in ratios)})")


def build_repeated_prompts(checkpoint: Checkpoint) -> list[list[Message]]:
    """Return chats of the embedded log up to a reply, each several times."""
    return [chat[:-1] for chat in load_contexts(checkpoint, N_PROMPTS["draws"], 128) for _ in range(DRAWS)]


def build_instructed_prompts(checkpoint: Checkpoint) -> list[list[Message]]:
    """Return ends of chats after one instruction."""
    token_ids = checkpoint.tokenizer(INSTRUCTION * INSTRUCTION_TOKENS).input_ids[:INSTRUCTION_TOKENS]
    instruction: Message = {"role": "system", "content": str(checkpoint.tokenizer.decode(token_ids))}
    return [[instruction, *chat[:-1]] for chat in load_contexts(checkpoint, N_PROMPTS["instruction"], 40)]


def generate_with_shared_prefixes(
    checkpoint: Checkpoint, prompts: list[list[Message]], sampling: Sampling
) -> list[str]:
    """Return our answers."""
    writer = LocalGenerator(checkpoint, "assistant", BATCH_SIZE)
    return [answer.text for answer in writer.generate(prompts, sampling)]


def generate_with_transformers(checkpoint: Checkpoint, prompts: list[list[Message]], sampling: Sampling) -> list[str]:
    """Return the answers of `model.generate` to padded batches.

    Batches and seeds are the same as ours.
    """
    import torch

    tokenizer, chat = checkpoint.tokenizer, checkpoint.chat
    rows = sorted(((chat.encode_prompt(prompt, "assistant"), i) for i, prompt in enumerate(prompts)), key=_length_key)
    answers: dict[int, str] = {}
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        inputs = tokenizer.pad({"input_ids": [ids for ids, _ in batch]}, padding_side="left", return_tensors="pt")
        torch.manual_seed(sampling.seed + start)
        out = checkpoint.model.generate(  # type: ignore[operator]
            **inputs,
            max_new_tokens=sampling.max_new_tokens,
            do_sample=True,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=0,
            eos_token_id=chat.end_of_turn_id,
            pad_token_id=chat.end_of_turn_id,
        )
        texts = tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        answers.update((i, text.strip()) for (_, i), text in zip(batch, texts, strict=True))
    return [answers[i] for i in range(len(prompts))]


def _length_key(row: tuple[list[int], int]) -> tuple[int, list[int], int]:
    return len(row[0]), *row


def measure_processor_seconds(work: Callable[[], list[str]]) -> float:
    """Return processor seconds of one run."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
