"""What this run found, in plain sentences made from its numbers, and the five numbers that matter."""

from typing import Any

from turnabout.report.figures import Figure, format_count, read_figure, format_interval, format_number, find_scale, format_estimate
from turnabout.report.inputs import Inputs
from turnabout.report.sections.caveats import USER_MODEL
from turnabout.report.sections.conversations import describe_simulators

#: Differences in follow-up likelihood by the user model, and by the backbone as a second scorer.
SCORES = ("follow_up_likelihood", "follow_up_likelihood_backbone")


def build_context(inputs: Inputs) -> dict[str, Any]:
    """The opening paragraph as sentences, what became of each arm, and the tiles."""
    return {
        "sentences": [
            describe_log(inputs),
            describe_prediction(inputs),
            describe_termination(inputs),
            describe_simulation(inputs),
        ],
        "arms": [describe_assistant(inputs, arm) for arm in inputs.arms],
        "tiles": build_tiles(inputs),
    }


def describe_log(inputs: Inputs) -> str:
    """How much was kept of the log, and how much feedback stood in it."""
    kept, people = inputs.splits.height, inputs.splits["user_key"].n_unique()
    share = inputs.metrics.get("mine", {}).get("share_of_exchanges_with_signal")
    start = (
        f"Kept of the log: {format_count(kept, 'conversation', 'conversations')} of {format_count(people, 'person', 'people')}"
    )
    if inputs.feedback.is_empty():
        return f"{start}; nobody in them reacted to a reply in a way that the miners recognise."
    reach = f", on {format_number(100 * share)}\N{NO-BREAK SPACE}% of the replies" if share is not None else ""
    return f"{start}; found in them: {format_count(inputs.feedback.height, 'signal', 'signals')} of feedback{reach}."


def describe_prediction(inputs: Inputs) -> str:
    """Whether the user model predicts people better than the backbone it was made from."""
    saved = read_figure(inputs.metrics.get("user", {}), "bits_per_character_saved", "with_intent")
    if saved.value is None:
        return f"Whether the user model predicts people better than its backbone is not measured: {saved.reason}."
    outcome = {
        "higher": "predicts people it has never met better than the untrained backbone does",
        "lower": "predicts people it has never met worse than the untrained backbone does",
        "inside the noise": "cannot be told from the untrained backbone, inside the noise, in predicting people",
    }
    return f"The trained user model {outcome[saved.verdict]}: {format_estimate(saved)} bits per character saved."


def describe_termination(inputs: Inputs) -> str:
    """How well the user model knows when people leave, beside a prompted assistant; not compared case by case."""

    def told(model: str) -> tuple[Figure, str]:
        of_it = (inputs.metrics.get("user", {}), "termination", model)
        drawn, best = read_figure(*of_it, "f1_drawn"), read_figure(*of_it, "f1")
        return drawn, f"{format_estimate(drawn)} (at the best threshold {format_estimate(best)})"

    (trained, how), (prompted, how_prompted) = told("trained"), told("prompted")
    if trained.value is None:
        return f"Whether it knows when people leave is not measured: {trained.reason}."
    other = f"was not measured: {prompted.reason}" if prompted.value is None else f"with {how_prompted}"
    return f"Left to itself it leaves when people leave with an F1 of {how}; the prompted assistant {other}."


def describe_assistant(inputs: Inputs, arm: str) -> str:
    """One arm against the untrained assistant by the user model, and whether the second scorer agrees."""
    first, second = (read_difference(inputs, arm, measure) for measure in SCORES)
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
        f"{outcome[first.verdict]} ({format_estimate(first, signed=True)} nats per token by the user model{maker}); "
        f"the second scorer, the backbone, {check} ({format_estimate(second, signed=True)})."
    )


def read_difference(inputs: Inputs, arm: str, measure: str) -> Figure:
    """An arm minus the untrained assistant."""
    return read_figure(inputs.metrics.get("assistants", {}), arm, "versus_untrained", measure)


def describe_simulation(inputs: Inputs) -> str:
    """Who played the person in the simulated conversations."""
    n = sum(table["conversation_id"].n_unique() for table in inputs.rollouts.values())
    if n == 0:
        return "Nothing was simulated."
    talks = format_count(n, "simulated conversation", "simulated conversations")
    return f"In {talks} the person was played by {' and '.join(describe_simulators(inputs))}."


def build_tiles(inputs: Inputs) -> list[dict[str, Any]]:
    """The five numbers that matter, each with its unit and its interval (None where it has none)."""
    user = inputs.metrics.get("user", {})
    better = sum(all(read_difference(inputs, arm, score).verdict == "higher" for score in SCORES) for arm in inputs.arms)
    pairs = sum(table.filter("keep").height for table in inputs.pairs.values())
    return [
        {"value": format_number(inputs.feedback.height), "unit": "signals of feedback", "note": None},
        {"value": format_number(pairs), "unit": "preference pairs kept", "note": None},
        build_tile(read_figure(user, "bits_per_character_saved", "with_intent"), "bits per character saved on strangers"),
        build_tile(read_figure(user, "termination", "trained", "f1_drawn"), "F1 of leaving when people leave"),
        {
            "value": f"{better} of {len(inputs.arms)}",
            "unit": "arms better than untrained by both scorers",
            "note": None,
        },
    ]


def build_tile(found: Figure, unit: str) -> dict[str, Any]:
    """A figure as a tile."""
    note = format_interval(found) if found.has_interval else found.reason if found.value is None else None
    return {"value": format_number(found.value, find_scale(found)), "unit": unit, "note": note}
