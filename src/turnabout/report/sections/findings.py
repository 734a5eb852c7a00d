"""Section "What this run found": sentences and five numbers."""

from typing import Any

from turnabout.core.splitting import NO_PEOPLE
from turnabout.report.figures import (
    Figure,
    find_scale,
    format_count,
    format_estimate,
    format_interval,
    format_number,
    read_figure,
)
from turnabout.report.inputs import Inputs
from turnabout.report.sections.caveats import USER_MODEL
from turnabout.report.sections.conversations import describe_simulators

#: Differences in follow-up likelihood by the user model, and by the backbone as a second scorer.
SCORES = ("follow_up_likelihood", "follow_up_likelihood_backbone")


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return the sentences of the opening, one per arm, and the tiles."""
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
    """Say how much of the log was kept, and how much feedback it has."""
    n_kept, n_people = inputs.splits.height, inputs.splits["user_key"].n_unique()
    share = inputs.metrics.get("mine", {}).get("share_of_exchanges_with_signal")
    conversations = format_count(n_kept, "conversation", "conversations")
    people = f"of {format_count(n_people, 'person', 'people')}" if inputs.names_people else f"({NO_PEOPLE})"
    start = f"Kept of the log: {conversations} {people}"
    if inputs.feedback.is_empty():
        return f"{start}; the miners found no reaction to a reply in them."
    reach = f", on {format_number(100 * share)}\N{NO-BREAK SPACE}% of the replies" if share is not None else ""
    return f"{start}, with {format_count(inputs.feedback.height, 'signal', 'signals')} of feedback{reach}."


def describe_prediction(inputs: Inputs) -> str:
    """Say whether the user model predicts people better than its backbone."""
    saved = read_figure(inputs.metrics.get("user", {}), "bits_per_character_saved", "with_intent")
    if saved.value is None:
        return f"Whether the user model predicts people better than its backbone is not measured: {saved.reason}."
    outcome = {
        "higher": "The trained user model predicts held-out people better than the untrained backbone does",
        "lower": "The trained user model predicts held-out people worse than the untrained backbone does",
        "inside the noise": "In predicting held-out people, the trained user model and the untrained backbone do not "
        "differ by more than the noise",
    }
    return f"{outcome[saved.verdict]}: {format_estimate(saved)} bits per character saved."


def describe_termination(inputs: Inputs) -> str:
    """Say how well the user model predicts the end of the conversation.

    The prompted assistant's figures follow; the two are not compared case by case.
    """
    trained, trained_f1 = _read_termination(inputs, "trained")
    prompted, prompted_f1 = _read_termination(inputs, "prompted")
    if trained.value is None:
        return f"Whether it predicts the end of the conversation is not measured: {trained.reason}."
    other = f"was not measured: {prompted.reason}" if prompted.value is None else f"has {prompted_f1}"
    return f"It predicts the end of the conversation with an F1 of {trained_f1}; the prompted assistant {other}."


def _read_termination(inputs: Inputs, model: str) -> tuple[Figure, str]:
    """Return the F1 of draws, and both F1 as text."""
    user = inputs.metrics.get("user", {})
    drawn, best = (read_figure(user, "termination", model, part) for part in ("f1_drawn", "f1"))
    return drawn, f"{format_estimate(drawn)} (at the best threshold {format_estimate(best)})"


def describe_assistant(inputs: Inputs, arm: str) -> str:
    """Compare one arm with the untrained assistant, by both scorers.

    The first scorer is the user model; the sentence says whether the second confirms its verdict.
    """
    first, second = (read_difference(inputs, arm, measure) for measure in SCORES)
    if first.value is None:
        return f"The assistant of arm {arm} was not compared with the untrained one: {first.reason}."
    outcome = {
        "higher": f"A satisfied follow-up is likelier after replies of arm {arm} than after untrained ones",
        "lower": f"A satisfied follow-up is less likely after replies of arm {arm} than after untrained ones",
        "inside the noise": f"Replies of arm {arm} and untrained ones do not differ by more than the noise",
    }
    maker = ", which also chose its pairs" if inputs.arms[arm] == USER_MODEL else ""
    check = f"{'agrees' if second.verdict == first.verdict else 'does not confirm it'}: {second.verdict}"
    return (
        f"{outcome[first.verdict]} ({format_estimate(first, signed=True)} nats per token by the user model{maker}); "
        f"the second scorer, the backbone, {check} ({format_estimate(second, signed=True)})."
    )


def read_difference(inputs: Inputs, arm: str, measure: str) -> Figure:
    """Return the difference of an arm to the untrained assistant."""
    return read_figure(inputs.metrics.get("assistants", {}), arm, "versus_untrained", measure)


def describe_simulation(inputs: Inputs) -> str:
    """Say who played the user in the simulated conversations."""
    n = sum(table["conversation_id"].n_unique() for table in inputs.rollouts.values())
    if n == 0:
        return "Nothing was simulated."
    conversations = format_count(n, "simulated conversation", "simulated conversations")
    return f"In {conversations} the user was played by {' and '.join(describe_simulators(inputs))}."


def build_tiles(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the five most important numbers, each with unit and interval.

    `note` is the interval, the reason of a missing number, or None.
    """
    user = inputs.metrics.get("user", {})
    n_better = 0
    for arm in inputs.arms:
        n_better += all(read_difference(inputs, arm, score).verdict == "higher" for score in SCORES)
    n_pairs = sum(table.filter("keep").height for table in inputs.pairs.values())
    saved = read_figure(user, "bits_per_character_saved", "with_intent")
    f1_drawn = read_figure(user, "termination", "trained", "f1_drawn")
    return [
        {"value": format_number(inputs.feedback.height), "unit": "signals of feedback", "note": None},
        {"value": format_number(n_pairs), "unit": "preference pairs kept", "note": None},
        build_tile(saved, "bits per character saved on held-out people"),
        build_tile(f1_drawn, "F1 of predicting the end of the conversation"),
        {
            "value": f"{n_better} of {len(inputs.arms)}",
            "unit": "arms better than untrained by both scorers",
            "note": None,
        },
    ]


def build_tile(figure: Figure, unit: str) -> dict[str, Any]:
    """Return a figure as a tile."""
    note = format_interval(figure) if figure.has_interval else figure.reason if figure.value is None else None
    return {"value": format_number(figure.value, find_scale(figure)), "unit": unit, "note": note}
