"""Training conversations of `benchmarks.sft`.

Each is encoded as one sequence, or as the paper's K+1 samples.
"""

from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.intents.flipping import flip_conversations
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat, EncodedChat
from turnabout.sources.chitchat import Chitchat
from turnabout.training.user_model.train import TrainUser

INTENT = "You are a user chatting with an assistant language model to pass the time."
#: Conversations of the log that are read.
N_READ = 500
#: Messages of the shortest conversation, as in the shipped settings.
MIN_MESSAGES = 4


def load_excerpts(chat: ChatFormat, max_length: int) -> pl.DataFrame:
    """Return the last messages of each conversation that its user ended.

    The columns are `schemas.USER_SAMPLES`. An excerpt has at most `max_length` tokens. Conversations of which not
    even one user turn fits are left out.
    """
    cut = [keep_last_messages(chat, sample, max_length) for sample in load_ended_conversations().iter_rows(named=True)]
    fits = [s for s in cut if s["target_indexes"] and len(encode_conversation(chat, s).input_ids) <= max_length]
    return pl.DataFrame(fits, schema=schemas.USER_SAMPLES)


def build_train_options(**values: Any) -> TrainUser:
    """Return section `train_user` with these values.

    By default it is one epoch over every window in one process.
    """
    defaults = {
        "epochs": 1,
        "max_tokens": None,
        "packing": True,
        "lora_rank": None,
        "sampled_softmax": None,
        "warmup": 0.0,
        "gradient_checkpointing": False,
        "processes": 1,
    }
    return TrainUser.model_validate(defaults | values)


def load_ended_conversations() -> pl.DataFrame:
    """Return flipped conversations of the embedded log that a user ended.

    All have the same intent.
    """
    log = Chitchat(format="chitchat")
    messages = next(batch.messages for piece in log.list_pieces() for batch in log.read_batches(piece))
    ids = messages.select("conversation_id").unique(maintain_order=True).head(N_READ)
    some = messages.join(ids, on="conversation_id", how="semi")
    samples = flip_conversations(
        some, ids.with_columns(split=pl.lit("train")), ids.with_columns(intent=pl.lit(INTENT)), mirror=False
    )
    return samples.filter(pl.col("ends") & (pl.col("messages").list.len() >= MIN_MESSAGES))


def keep_last_messages(chat: ChatFormat, sample: dict[str, Any], max_length: int) -> dict[str, Any]:
    """Return the conversation cut from the left to one training row.

    The row has room for the end of the conversation.
    """
    n_end_tokens = chat.count_message_tokens({"role": "user", "content": ""}) + 1
    system: Message = {"role": "system", "content": sample["intent"]}
    kept = chat.keep_newest([system, *sample["messages"]], max_length - n_end_tokens)[1:]
    return {**sample, "messages": kept, "target_indexes": [i for i, m in enumerate(kept) if m["role"] == "user"]}


def encode_conversation(chat: ChatFormat, sample: dict[str, Any]) -> EncodedChat:
    """Return the conversation with its end as one row, as ours reads it."""
    targets = {index + 1 for index in sample["target_indexes"]}
    return chat.encode([{"role": "system", "content": sample["intent"]}, *sample["messages"]], targets, sample["ends"])


def build_k_plus_one_samples(sample: dict[str, Any]) -> list[dict[str, list[Message]]]:
    """Return the paper's samples as prompt and completion.

    For each user turn: all messages before it, and the turn. For the end: the whole conversation, and the end token.
    """
    messages: list[Message] = [{"role": "system", "content": sample["intent"]}, *sample["messages"]]
    turns = [{"prompt": messages[: i + 1], "completion": [messages[i + 1]]} for i in sample["target_indexes"]]
    return [*turns, {"prompt": messages, "completion": [{"role": "user", "content": END_OF_CONVERSATION}]}]


def build_user_template(chat: ChatFormat) -> str:
    """Return the tokenizer's template with a *user* generation prompt.

    It stops at the last end of turn: text after that would be part of the completion, which TRL learns to its last
    token.
    """
    end = str(chat.tokenizer.decode([chat.end_of_turn_id]))
    between = chat.frame.footer.removeprefix(end)
    return (
        f"{{% set headers = {chat.frame.headers!r} %}}{{{{ {chat.frame.opening!r} }}}}"
        f"{{% for m in messages %}}{{{{ headers[m.role] + m.content + {end!r} }}}}"
        f"{{% if not loop.last or add_generation_prompt %}}{{{{ {between!r} }}}}{{% endif %}}{{% endfor %}}"
        "{% if add_generation_prompt %}{{ headers.user }}{% endif %}"
    )
