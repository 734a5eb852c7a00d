"""Export of a user model as a plain Hugging Face folder.

The folder holds merged weights, end tokens and a chat template whose generation prompt opens a user turn. It needs
nothing of this package: `apply_chat_template(…, add_generation_prompt=True)` followed by `generate` writes the next
user turn, like the released model of Naous et al. 2025.
"""

import json
from pathlib import Path
from typing import Any

from turnabout.core.io import replace_when_done
from turnabout.errors import ConfigError
from turnabout.models.chat_template import ChatFrame
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.loading import TEMPERATURE, TOP_P


def require_new_folder(out: Path) -> None:
    """Raise `ConfigError` if the folder exists and is not empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out: {out} is not empty; name a new folder")


def export_user(checkpoint: Checkpoint, card: str, out: Path) -> None:
    """Write the model in bfloat16, its tokenizer and its card.

    The folder is written completely or not at all. Raises `ConfigError` if `out` is not empty.
    """
    import torch

    require_new_folder(out)
    model: Any = checkpoint.model
    model.config.use_cache = True  # training switches it off
    model.generation_config = build_generation_config(checkpoint)
    tokenizer = checkpoint.tokenizer
    tokenizer.chat_template = build_flipped_template(checkpoint.chat.frame)
    with replace_when_done(out) as part:
        model.to(torch.bfloat16).save_pretrained(part)
        tokenizer.save_pretrained(part)
        (part / "README.md").write_text(card, encoding="utf-8")


def build_flipped_template(frame: ChatFrame) -> str:
    """Return a Jinja chat template whose generation prompt opens a user turn.

    It writes messages as `frame` does.
    """
    headers, footer = json.dumps(frame.headers), json.dumps(frame.footer)
    opening, preamble = json.dumps(frame.opening), json.dumps(frame.preamble)
    return (
        f"{{% set headers = {headers} %}}"
        f"{{{{ {opening} if messages and messages[0]['role'] == 'system' else {preamble} }}}}"
        "{% for message in messages %}"
        f"{{{{ headers[message['role']] + message['content'] + {footer} }}}}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ headers['user'] }}{% endif %}"
    )


def build_generation_config(checkpoint: Checkpoint) -> Any:
    """Return the sampling settings and the end token of a user turn.

    A turn ends only at the token that ends every turn. The end-of-conversation token is not an end token, because
    engines such as vLLM leave end tokens out of the text, and then nobody would see that the user ended the
    conversation. The model has learnt to end its turn right after it.
    """
    from transformers import GenerationConfig

    chat = checkpoint.chat
    return GenerationConfig(
        do_sample=True,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        top_k=0,
        bos_token_id=checkpoint.tokenizer.bos_token_id,
        eos_token_id=[chat.end_of_turn_id],
        pad_token_id=chat.end_of_turn_id,
    )
