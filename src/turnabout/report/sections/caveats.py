"""Section "Limitations": the limits of this run that its own data show."""

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
        "withheld": inputs.metrics.get("intend", {}).get("detail") == "none",
    }
