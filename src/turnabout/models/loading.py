"""Loading of models by folder, embedded name, or Hugging Face Hub id."""

from contextlib import AbstractContextManager, redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from turnabout.errors import ModelError
from turnabout.models import checkpoints
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.models.checkpoints import Checkpoint

#: The user model of a project, relative to its root.
USER_MODEL = "models/user"

#: Default sampling of user turns (from the model card of Naous et al. 2025).
TEMPERATURE, TOP_P = 1.0, 0.8


def open_model(name: str, dtype: str = "bfloat16", merged: bool = False) -> Checkpoint:
    """Return the model of this name, ready for inference.

    Raises `ModelError` where there is none.
    """
    if name.startswith((".", "/", "models/")) or Path(name).is_dir():
        return checkpoints.load_checkpoint(Path(name), dtype, merged)
    with TemporaryDirectory() as scratch:
        try:
            checkpoints.write_manifest(checkpoints.pin_backbone(name), Path(scratch, "model"))
        except ModelError as error:
            raise ModelError(str(error).removeprefix("backbone.name: ")) from error
        return checkpoints.load_checkpoint(Path(scratch, "model"), dtype, merged)


def open_user(name: str, dtype: str = "bfloat16", merged: bool = False) -> Checkpoint:
    """Return the user model of this name.

    Raises `ModelError` for a model that cannot end a conversation.
    """
    checkpoint = open_model(name, dtype, merged)
    if checkpoint.chat.end_of_conversation_id is None:
        raise ModelError(
            f"{name} is no user model: {END_OF_CONVERSATION} is not in its vocabulary, so it could not end a "
            "conversation; name a folder that stage train_user wrote (`turnabout run train_user`), such as models/user"
        )
    return checkpoint


def hide_progress_bars() -> AbstractContextManager[object]:
    """Return a context in which models write without progress bars.

    For single turns of a conversation.
    """
    return redirect_stderr(StringIO())  # bars are shown in terminals only
