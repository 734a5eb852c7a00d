"""Write a user model as a plain Hugging Face folder with a model card, for transformers, vLLM and TRL."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnabout.exporting.project_facts import ProjectFacts


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Which model, and where to."""
    options.add_argument("model", nargs="?", default="models/user", help="folder or Hub id (default: %(default)s)")
    options.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")


def execute(model: str, out: Path) -> int:
    """Export it; status 0."""
    from turnabout.exporting.card import render_card
    from turnabout.exporting.folder import require_new_folder, export_user
    from turnabout.models.loading import open_user

    require_new_folder(out)
    facts = _gather_facts(model)
    # In float32, where an adapter can be added to its base without loss; it is rounded once, when it is written.
    export_user(open_user(model, "float32", merged=True), render_card(out.name, facts), out)
    told = "without figures: it is not this project's models/user" if facts is None else f"{len(facts.estimates)} figures"
    print(f"{out}: model, tokenizer and card ({told})")
    return 0


def _gather_facts(model: str) -> "ProjectFacts | None":
    """What the project here knows of the model; None where it is no model of a project."""
    from turnabout.errors import ConfigError
    from turnabout.exporting.project_facts import gather_facts
    from turnabout.models.loading import USER_MODEL
    from turnabout.pipeline.project import find_root

    try:
        root = find_root(Path.cwd())
    except ConfigError:
        return None
    return gather_facts(root) if Path(model).resolve() == root / USER_MODEL else None
