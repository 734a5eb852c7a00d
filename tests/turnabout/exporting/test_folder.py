"""The exported folder, used by transformers and TRL without our package."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.exporting.folder import build_flipped_template, export_user, require_new_folder
from turnabout.generation import Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.models.chat_template import ChatFrame
from turnabout.models.checkpoints import Checkpoint, load_checkpoint

TALK: list[Message] = [
    {"role": "system", "content": "trains"},
    {"role": "user", "content": "when does it leave?"},
    {"role": "assistant", "content": "At nine."},
]


@pytest.fixture
def exported(user_model: Checkpoint, tmp_path: Path) -> Path:
    export_user(user_model, "# a card\n", tmp_path / "out")
    return tmp_path / "out"


def test_export_user_writes_the_files_of_a_hub_model_without_local_paths(exported: Path, tiny_checkpoint: Path) -> None:
    names = {path.name for path in exported.iterdir()}
    assert names == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    texts = [path.read_text() for path in exported.iterdir() if path.suffix in (".json", ".jinja")]
    assert not any(str(tiny_checkpoint) in text for text in texts)
    assert json.loads((exported / "config.json").read_text())["use_cache"] is True


def test_exported_chat_template_gives_our_prompt(exported: Path) -> None:
    plain: Any = AutoTokenizer.from_pretrained(exported)
    ours = load_checkpoint(exported, "float32").chat
    for messages in (TALK[:1], TALK, TALK[1:]):
        prompt = plain.apply_chat_template([dict(m) for m in messages], add_generation_prompt=True, return_dict=True)
        assert prompt["input_ids"] == ours.encode_prompt(messages, "user")


def test_transformers_pipeline_writes_our_greedy_turn(exported: Path) -> None:
    ours = LocalGenerator(load_checkpoint(exported), "user", 1).generate([TALK], Sampling(12))[0]
    writer: Any = pipeline("text-generation", model=str(exported), dtype=torch.bfloat16)
    messages = [dict(message) for message in TALK]
    options = {"max_new_tokens": 12, "do_sample": False, "return_full_text": False}
    theirs = writer(messages, continue_final_message=False, **options)  # or it continues the assistant's message
    assert theirs[0]["generated_text"].strip() == ours.text
    assert len(set(ours.text)) > 4


def test_end_of_conversation_token_is_visible_in_the_text(exported: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(exported)
    model: Any = AutoModelForCausalLM.from_pretrained(exported)
    end_of_conversation = tokenizer.convert_tokens_to_ids(END_OF_CONVERSATION)
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert model.generation_config.eos_token_id == [stop]
    head = torch.nn.Linear(32, len(tokenizer), dtype=model.dtype)
    head.weight.data.zero_()
    head.bias.data.zero_()[end_of_conversation] = 1.0
    model.lm_head = head
    prompt = tokenizer.apply_chat_template(
        [dict(m) for m in TALK], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    out = model.generate(**prompt, max_new_tokens=1, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(out, skip_special_tokens=True) == END_OF_CONVERSATION


def test_trl_masks_everything_but_the_user_turn_and_its_end(exported: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [
        {"prompt": TALK, "completion": [{"role": "user", "content": "thanks"}]},
        {"prompt": TALK, "completion": [{"role": "user", "content": END_OF_CONVERSATION}]},
    ]
    settings = SFTConfig(str(tmp_path / "trl"), max_length=200, report_to="none", use_cpu=True, bf16=False)
    trainer: Any = SFTTrainer(str(exported), args=settings, train_dataset=Dataset.from_list(rows))
    tokenizer = trainer.processing_class
    learnt = []
    for row in trainer.train_dataset:
        mask = row.get("completion_mask") or [label != -100 for label in row["labels"]]
        learnt.append(
            tokenizer.decode([token for token, is_learnt in zip(row["input_ids"], mask, strict=True) if is_learnt])
        )
    assert learnt == ["thanks<|im_end|>\n", f"{END_OF_CONVERSATION}<|im_end|>\n"]


def test_flipped_template_keeps_the_default_system_message() -> None:
    from jinja2 import Environment

    frame = ChatFrame("<s>", '<s>S: be "good"\n', {"system": "S: ", "user": "U: ", "assistant": "A: "}, "\n")
    template = Environment().from_string(build_flipped_template(frame))
    alone = template.render(messages=[{"role": "user", "content": "hi"}], add_generation_prompt=True)
    assert alone == '<s>S: be "good"\nU: hi\nU: '
    with_system = template.render(messages=[{"role": "system", "content": "x"}], add_generation_prompt=False)
    assert with_system == "<s>S: x\n"


def test_require_new_folder_raises_when_something_exists(tmp_path: Path) -> None:
    require_new_folder(tmp_path / "new")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty; name a new folder"):
        require_new_folder(tmp_path)
    with pytest.raises(ConfigError, match="name a new folder"):
        require_new_folder(tmp_path / "mine.txt")
