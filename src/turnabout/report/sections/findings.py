"""What this run found, in plain sentences made from its numbers, and the five numbers that matter."""

from typing import Any

from turnabout.report.figures import Figure, counted, figure, interval, number, scale_of, shown
from turnabout.report.inputs import Inputs
from turnabout.report.sections.caveats import USER_MODEL
from turnabout.report.sections.conversations import simulators

#: Differences in follow-up likelihood by the user model, and by the backbone as a second scorer.
SCORES = ("follow_up_likelihood", "follow_up_likelihood_backbone")


def context(inputs: Inputs) -> dict[str, Any]:
    """The opening paragraph as sentences, what became of each arm, and the tiles."""
    return {
        "sentences": [
            log_sentence(inputs),
            user_sentence(inputs),
            leaving_sentence(inputs),
            simulator_sentence(inputs),
        ],
        "arms": [assistant_sentence(inputs, arm) for arm in inputs.arms],
        "tiles": tiles(inputs),
    }


def log_sentence(inputs: Inputs) -> str:
    """How much was kept of the log, and how much feedback stood in it."""
    kept, people = inputs.splits.height, inputs.splits["user_key"].n_unique()
    share = inputs.metrics.get("mine", {}).get("share_of_exchanges_with_signal")
    start = (
        f"Kept of the log: {counted(kept, 'conversation', 'conversations')} of {counted(people, 'person', 'people')}"
    )
    if inputs.feedback.is_empty():
        return f"{start}; nobody in them reacted to a reply in a way that the miners recognise."
    reach = f", on {number(100 * share)}\N{NO-BREAK SPACE}% of the replies" if share is not None else ""
    return f"{start}; found in them: {counted(inputs.feedback.height, 'signal', 'signals')} of feedback{reach}."


def user_sentence(inputs: Inputs) -> str:
    """Whether the user model predicts people better than the backbone it was made from."""
    saved = figure(inputs.metrics.get("user", {}), "bits_per_character_saved", "with_intent")
    if saved.value is None:
        return f"Whether the user model predicts people better than its backbone is not measured: {saved.reason}."
    outcome = {
        "higher": "predicts people it has never met better than the untrained backbone does",
        "lower": "predicts people it has never met worse than the untrained backbone does",
        "inside the noise": "cannot be told from the untrained backbone, inside the noise, in predicting people",
    }
    return f"The trained user model {outcome[saved.verdict]}: {shown(saved)} bits per character saved."


def leaving_sentence(inputs: Inputs) -> str:
    """How well the user model knows when people leave, beside a prompted assistant; not compared case by case."""

    def told(model: str) -> tuple[Figure, str]:
        of_it = (inputs.metrics.get("user", {}), "termination", model)
        drawn, best = figure(*of_it, "f1_drawn"), figure(*of_it, "f1")
        return drawn, f"{shown(drawn)} (at the best threshold {shown(best)})"

    (trained, how), (prompted, how_prompted) = told("trained"), told("prompted")
    if trained.value is None:
        return f"Whether it knows when people leave is not measured: {trained.reason}."
    other = f"was not measured: {prompted.reason}" if prompted.value is None else f"with {how_prompted}"
    return f"Left to itself it leaves when people leave with an F1 of {how}; the prompted assistant {other}."


def assistant_sentence(inputs: Inputs, arm: str) -> str:
    """One arm against the untrained assistant by the user model, and whether the second scorer agrees."""
    first, second = (difference(inputs, arm, measure) for measure in SCORES)
    if first.value is None:
        return f"The assistant of arm {arm} was not compared with the untrained one: {first.reason}."
    outcome = {
        "higher": f"A satisfied follow-up is likelier after replies of arm {arm} than after untrained ones",
        "lower": f"A satisfied follow-up is less likely after replies of arm {arm} than after untrained ones",
        "inside the noise": f"Replies of arm {arm} cannot be told from untrained ones, inside the noise",
    }
    maker = ", which also chose its pairs" if inputs.arms[arm] == USER_MODEL else ""
    check = f"{'agrees' if second.verdict == first.verdict else 'does not confirm it'}: {second.verdict}"
    return (
        f"{outcome[first.verdict]} ({shown(first, signed=True)} nats per token by the user model{maker}); "
        f"the second scorer, the backbone, {check} ({shown(second, signed=True)})."
    )


def difference(inputs: Inputs, arm: str, measure: str) -> Figure:
    """An arm minus the untrained assistant."""
    return figure(inputs.metrics.get("assistants", {}), arm, "versus_untrained", measure)


def simulator_sentence(inputs: Inputs) -> str:
    """Who played the person in the simulated conversations."""
    n = sum(table["conversation_id"].n_unique() for table in inputs.rollouts.values())
    if n == 0:
        return "Nothing was simulated."
    talks = counted(n, "simulated conversation", "simulated conversations")
    return f"In {talks} the person was played by {' and '.join(simulators(inputs))}."


def tiles(inputs: Inputs) -> list[dict[str, Any]]:
    """The five numbers that matter, each with its unit and its interval (None where it has none)."""
    user = inputs.metrics.get("user", {})
    better = sum(all(difference(inputs, arm, score).verdict == "higher" for score in SCORES) for arm in inputs.arms)
    pairs = sum(table.filter("keep").height for table in inputs.pairs.values())
    return [
        {"value": number(inputs.feedback.height), "unit": "signals of feedback", "note": None},
        {"value": number(pairs), "unit": "preference pairs kept", "note": None},
        tile(figure(user, "bits_per_character_saved", "with_intent"), "bits per character saved on strangers"),
        tile(figure(user, "termination", "trained", "f1_drawn"), "F1 of leaving when people leave"),
        {
            "value": f"{better} of {len(inputs.arms)}",
            "unit": "arms better than untrained by both scorers",
            "note": None,
        },
    ]


def tile(found: Figure, unit: str) -> dict[str, Any]:
    """A figure as a tile."""
    note = interval(found) if found.has_interval else found.reason if found.value is None else None
    return {"value": number(found.value, scale_of(found)), "unit": unit, "note": note}
