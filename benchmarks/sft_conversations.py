"""The conversations that `benchmarks.sft` trains on, as one sequence each and as the paper's K+1 samples."""

from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.intents.flipping import flip_conversations
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat, EncodedChat
from turnabout.sources.chitchat import Chitchat
from turnabout.training.user_model.train import TrainUser

INTENT = "You are a user chatting with an assistant language model to pass the time."
#: Conversations of the log that are looked at.
N_READ = 500
#: Shortest of them, in messages: that of the settings that ship.
MIN_MESSAGES = 4


def load_excerpts(chat: ChatFormat, max_length: int) -> pl.DataFrame:
    """The last messages within `max_length` tokens of each conversation that somebody left (`schemas.USER_SAMPLES`).

    Without those of which not even one user turn fits.
    """
    cut = [keep_last_messages(chat, sample, max_length) for sample in load_ended_conversations().iter_rows(named=True)]
    fits = [s for s in cut if s["target_indexes"] and len(encode_conversation(chat, s).input_ids) <= max_length]
    return pl.DataFrame(fits, schema=schemas.USER_SAMPLES)


def build_train_options(**values: Any) -> TrainUser:
    """Return section `train_user` with these values, for one epoch of every window in one process by default."""
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
    """Flipped conversations of the embedded log that somebody left, all with one intent."""
    log = Chitchat(format="chitchat")
    messages = next(batch.messages for piece in log.list_pieces() for batch in log.read_batches(piece))
    ids = messages.select("conversation_id").unique(maintain_order=True).head(N_READ)
    some = messages.join(ids, on="conversation_id", how="semi")
    samples = flip_conversations(
        some, ids.with_columns(split=pl.lit("train")), ids.with_columns(intent=pl.lit(INTENT)), mirror=False
    )
    return samples.filter(pl.col("ends") & (pl.col("messages").list.len() >= MIN_MESSAGES))


def keep_last_messages(chat: ChatFormat, sample: dict[str, Any], max_length: int) -> dict[str, Any]:
    """The conversation cut from the left so that it is one training row, leaving included."""
    leaving = chat.count_message_tokens({"role": "user", "content": ""}) + 1
    system: Message = {"role": "system", "content": sample["intent"]}
    kept = chat.keep_newest([system, *sample["messages"]], max_length - leaving)[1:]
    return {**sample, "messages": kept, "target_indexes": [i for i, m in enumerate(kept) if m["role"] == "user"]}


def encode_conversation(chat: ChatFormat, sample: dict[str, Any]) -> EncodedChat:
    """The conversation with the end of it as one row: what ours reads."""
    targets = {index + 1 for index in sample["target_indexes"]}
    return chat.encode([{"role": "system", "content": sample["intent"]}, *sample["messages"]], targets, sample["ends"])


def build_k_plus_one_samples(sample: dict[str, Any]) -> list[dict[str, list[Message]]]:
    """The paper's samples: all that was said before each user turn and the turn, and the whole and leaving."""
    messages: list[Message] = [{"role": "system", "content": sample["intent"]}, *sample["messages"]]
    turns = [{"prompt": messages[: i + 1], "completion": [messages[i + 1]]} for i in sample["target_indexes"]]
    return [*turns, {"prompt": messages, "completion": [{"role": "user", "content": END_OF_CONVERSATION}]}]


def build_user_template(chat: ChatFormat) -> str:
    """The tokenizer's template with a *user* header to continue from; it stops at the last end of turn.

    What a template writes after that would be part of the completion, which TRL learns to its last token.
    """
    end = str(chat.tokenizer.decode([chat.end_of_turn_id]))
    between = chat.frame.footer.removeprefix(end)
    return (
        f"{{% set headers = {chat.frame.headers!r} %}}{{{{ {chat.frame.opening!r} }}}}"
        f"{{% for m in messages %}}{{{{ headers[m.role] + m.content + {end!r} }}}}"
        f"{{% if not loop.last or add_generation_prompt %}}{{{{ {between!r} }}}}{{% endif %}}{{% endfor %}}"
        "{% if add_generation_prompt %}{{ headers.user }}{% endif %}"
    )
