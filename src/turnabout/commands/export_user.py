"""Export a user model as a Hugging Face folder with a model card.

Transformers, vLLM and TRL can read the folder (docs/serving.md).
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnabout.exporting.project_facts import ProjectFacts


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the model and the output folder."""
    options.epilog = "example: turnabout export-user --out exported/user"
    options.add_argument(
        "model", nargs="?", default="models/user", help="user model: a folder or Hub id (default: %(default)s)"
    )
    options.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="output folder; it must be new or empty"
    )


def execute(model: str, out: Path) -> int:
    """Export the model; return status 0."""
    from turnabout.exporting.card import render_card
    from turnabout.exporting.folder import export_user, require_new_folder
    from turnabout.models.loading import open_user

    require_new_folder(out)
    facts = _gather_facts(model)
    # In float32 an adapter is added to its base without loss; the result is rounded once, when it is written.
    export_user(open_user(model, "float32", merged=True), render_card(out.name, facts), out)
    description = (
        "without figures: it is not this project's models/user" if facts is None else f"{len(facts.estimates)} figures"
    )
    print(f"{out}: model, tokenizer and card ({description})")
    return 0


def _gather_facts(model: str) -> "ProjectFacts | None":
    """Return the facts that the current project has about the model.

    Returns None if the model is not the user model of a project.
    """
    from turnabout.errors import ConfigError
    from turnabout.exporting.project_facts import gather_facts
    from turnabout.models.loading import USER_MODEL
    from turnabout.pipeline.project import find_root

    try:
        root = find_root(Path.cwd())
    except ConfigError:
        return None
    return gather_facts(root) if Path(model).resolve() == root / USER_MODEL else None
