"""Settings of a model that vLLM runs in this process, on GPUs."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from turnabout.errors import ModelError
from turnabout.generation.base import Generator
from turnabout.generation.config import ModelConfig, OpenContext
from turnabout.generation.store import AnswerStore
from turnabout.models.chat_format import ChatFormat


class VLLM(ModelConfig):
    """A model on this machine's GPUs.

    The project does not install vLLM: docs/vllm.md says how to install it.
    """

    backend: Literal["vllm"] = "vllm"
    model: str
    """A Hugging Face Hub id or a checkpoint folder; no adapter."""
    revision: str | None = None
    """The commit of a Hub id. Pin it: answers are stored under this name, whatever the Hub has by then."""
    gpus: Annotated[int, Field(gt=0)] = 1
    """Number of GPUs that share the model (tensor parallelism)."""
    gpu_memory: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of each GPU's memory that vLLM takes."""
    max_model_len: Annotated[int, Field(gt=0)] | None = None
    """Maximum length of prompt and answer together, in tokens; null takes the model's own limit."""

    def open(self, context: OpenContext) -> Generator:
        """Load the model; its answers are stored.

        Raises `ModelError` where vLLM is not installed or cannot load the model.
        """
        from transformers import AutoTokenizer

        from turnabout.generation.vllm.engine import VLLMGenerator, import_vllm

        vllm = import_vllm()
        if (Path(self.model) / "base.json").exists():
            raise ModelError(f"{self.model} is an adapter; backend 'vllm' takes a whole checkpoint or a Hub id")
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.model, revision=self.revision)
            engine = vllm.LLM(
                model=self.model,
                revision=self.revision,
                dtype=context.dtype,
                tensor_parallel_size=self.gpus,
                gpu_memory_utilization=self.gpu_memory,
                max_model_len=self.max_model_len,
                enable_prefix_caching=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{self.model}: vLLM cannot load it: {error}") from error
        store = AnswerStore(context.answers, f"{_identify(self.model, self.revision)} {context.dtype}")
        chat = ChatFormat.from_tokenizer(tokenizer)
        return VLLMGenerator(self.model, engine, chat, speaks="assistant", store=store)


def _identify(model: str, revision: str | None) -> str:
    """Return what decides the model's answers.

    It is the hash of a folder's weights, or a Hub id with its commit.
    """
    from turnabout.models.checkpoints import hash_folder

    return hash_folder(Path(model)) if Path(model).is_dir() else f"{model}@{revision}"
