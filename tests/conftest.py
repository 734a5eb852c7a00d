"""Fixtures of all tests: message frames, feedback rows and tiny models."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

os.environ.update(
    OMP_WAIT_POLICY="PASSIVE",
    HF_HUB_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    DVC_NO_ANALYTICS="1",
    DO_NOT_TRACK="1",
)

CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def messages() -> Callable[..., pl.DataFrame]:
    """Return a builder of `schemas.MESSAGES` frames.

    `messages("c1", "hi", "hello", …)` has one conversation; the user speaks first, roles take turns.
    """
    from turnabout.core.schemas import MESSAGES

    def build(conversation_id: str, *texts: str, user: str = "ann", **columns: Any) -> pl.DataFrame:
        roles = ["user" if i % 2 == 0 else "assistant" for i in range(len(texts))]
        rows = [
            {
                "conversation_id": conversation_id,
                "message_index": i,
                "role": role,
                "text": text,
                "user_key": user if role == "user" else None,
                "source": "test",
                "extras": "{}",
                **columns,
            }
            for i, (role, text) in enumerate(zip(roles, texts, strict=True))
        ]
        return pl.DataFrame(rows, schema_overrides=MESSAGES).pipe(_add_absent_columns, MESSAGES)

    return build


@pytest.fixture
def signal() -> Callable[..., dict[str, Any]]:
    """Return a builder of rows of `schemas.FEEDBACK`.

    `signal("c1", 3)` is a decision that reply 3 of c1 caused a complaint.
    """

    def build(
        conversation: str, reply: int, label: str = "dsat", category: str = "complaint", confidence: float = 0.8
    ) -> dict[str, Any]:
        return {
            "conversation_id": conversation,
            "reply_index": reply,
            "evidence_index": reply + 1,
            "label": label,
            "category": category,
            "span": "no",
            "score": confidence if label == "sat" else -confidence,
            "confidence": confidence,
            "miner": "ensemble",
            "version": "1",
        }

    return build


def _add_absent_columns(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Return the frame with every column of the schema, absent ones null."""
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(absent).select(list(schema)).cast(dict(schema))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random Llama of two layers (hidden size 32).

    Its tokenizer is byte-level and has a ChatML template.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|im_end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    folder = tmp_path_factory.mktemp("tiny")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def stopping_checkpoint(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny model whose turns end by themselves.

    It is otherwise like `tiny_checkpoint`. At temperature 0.7, P(end) is about 0.15 per token.

    The first hidden dimension is the same for every token, and the output row of the end token reads nothing else.
    """
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(tiny_checkpoint, tie_word_embeddings=False)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 5.0
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[end] = 0.0
        model.lm_head.weight[end, 0] = 0.46  # times the hidden value, about √32: a logit of 2.6 among 259 near 0
    folder = tmp_path_factory.mktemp("stopping")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def user_folder(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a tiny user model as the stage `train_user` does; return the folder."""
    from turnabout.models.checkpoints import load_checkpoint
    from turnabout.training.user_model.train import add_end_token, save_user

    folder = tmp_path_factory.mktemp("models") / "user"
    save_user(add_end_token(load_checkpoint(tiny_checkpoint, "float32")), folder)
    return folder
