"""Section "Limitations": the limits of this run that its own data show."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from turnabout.report.inputs import Inputs

#: The embedded log of people talking to people.
PEOPLE_ONLY = "chitchat"

#: `reads` of an arm whose pairs were chosen by the model that also scores the assistants.
USER_MODEL = "models/user"


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return the facts about the data that limit the results.

    They are who talks, how many people were tested, and which arms' pairs were chosen by the model that scores them.
    """
    sources = inputs.messages["source"].unique().sort().to_list()
    return {
        "people_only": PEOPLE_ONLY in sources,
        "names_people": inputs.names_people,
        "self_scored": [arm for arm, reads in inputs.arms.items() if reads == USER_MODEL],
        "n_test_people": inputs.splits.filter(pl.col("split") == "test")["user_key"].n_unique(),
        "user": inputs.metrics.get("user", {}),
        "fallback": inputs.intents.filter(pl.col("model") == "fallback").height,
        "n_intents": inputs.intents.height,
        "cut_off": count_cut_off(inputs.metrics),
        "withheld": inputs.metrics.get("intend", {}).get("detail") == "none",
    }


def count_cut_off(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many texts reached their token limit, by kind of text.

    Kinds without such a text are left out.
    """
    assistants = [entry for entry in metrics.get("assistants", {}).values() if "n_cut_off" in entry]
    pairs = [entry for stage, entry in metrics.items() if stage.startswith("build_pairs/") and "n_replies" in entry]
    simulated = [entry for stage, entry in metrics.items() if stage.startswith("simulate/")]
    counts = [
        {
            "text": "replies that the policy wrote for pairs; none of them is in a kept pair",
            "n": sum(entry["n_replies_cut_off"] for entry in pairs),
            "total": sum(entry["n_replies"] for entry in pairs),
        },
        {
            "text": "simulated conversations, which end there",
            "n": sum(entry["ended_by"].get("cut_off", 0) for entry in simulated),
            "total": sum(entry["n_conversations"] for entry in simulated),
        },
        {
            "text": "answers of the assistants to held-out prompts; their scores are those of unfinished answers",
            "n": sum(entry["n_cut_off"] for entry in assistants),
            "total": sum(entry["n_answers"] for entry in assistants),
        },
    ]
    return [count for count in counts if count["n"]]
