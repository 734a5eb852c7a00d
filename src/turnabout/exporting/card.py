"""The model card of an exported user model.

It says what the model is, where it comes from, how it was measured, and what its limits are.
"""

from turnabout.exporting.project_facts import ProjectFacts
from turnabout.intents.wording import NO_INTENT, PREFIX
from turnabout.models.chat_format import END_OF_CONVERSATION


def render_card(name: str, facts: ProjectFacts | None) -> str:
    """Return the text of a README.md with the Hub's front matter.

    Without `facts`, the card says that nothing is known about the model's training.
    """
    import yaml
    from huggingface_hub import ModelCardData
    from jinja2 import Environment, PackageLoader, StrictUndefined

    base = facts.base if facts is not None else {}
    licence = base.get("licence")
    data = ModelCardData(
        base_model=base["name"] if base.get("origin") == "hub" else None,
        license=licence.lower() if licence else None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["user-simulation", "user-language-model"],
    )
    pages = Environment(
        loader=PackageLoader("turnabout.exporting", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    settings = yaml.safe_dump(dict(facts.settings), sort_keys=False, default_flow_style=None) if facts else ""
    detail = facts.intents.get("detail") if facts is not None else None
    return pages.get_template("card.md.jinja").render(
        data=data.to_yaml(),
        name=name,
        facts=facts,
        settings=settings,
        detail=detail,
        system=NO_INTENT if detail == "none" else f"{PREFIX}trains.",
        end=END_OF_CONVERSATION,
    )
