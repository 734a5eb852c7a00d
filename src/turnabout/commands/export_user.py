"""Write a user model as a plain Hugging Face folder with a model card, for transformers, vLLM and TRL."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnabout.exporting.project_facts import Facts


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Which model, and where to."""
    options.add_argument("model", nargs="?", default="models/user", help="folder or Hub id (default: %(default)s)")
    options.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")


def execute(model: str, out: Path) -> int:
    """Export it; status 0."""
    from turnabout.exporting.card import card
    from turnabout.exporting.folder import check_free, export_user
    from turnabout.models.loading import open_user

    check_free(out)
    facts = _facts(model)
    # In float32, where an adapter can be added to its base without loss; it is rounded once, when it is written.
    export_user(open_user(model, "float32", merged=True), card(out.name, facts), out)
    told = "without figures: it is not this project's models/user" if facts is None else f"{len(facts.figures)} figures"
    print(f"{out}: model, tokenizer and card ({told})")
    return 0


def _facts(model: str) -> "Facts | None":
    """What the project here knows of the model; None where it is no model of a project."""
    from turnabout.errors import ConfigError
    from turnabout.exporting.project_facts import gather
    from turnabout.models.loading import USER_MODEL
    from turnabout.pipeline.project import find_root

    try:
        root = find_root(Path.cwd())
    except ConfigError:
        return None
    return gather(root) if Path(model).resolve() == root / USER_MODEL else None
