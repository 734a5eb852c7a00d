from turnabout.report import Inputs
from turnabout.report.sections.findings import build_context


def test_the_opening_names_the_log_the_user_model_and_the_simulator(run: Inputs) -> None:
    assert build_context(run)["sentences"] == [
        "Kept of the log: 3 conversations of 3 people; found in them: 4 signals of feedback, "
        "on 66.7\u00a0% of the replies.",
        "The trained user model predicts people it has never met better than the untrained backbone does: "
        "0.43 [0.39, 0.47] bits per character saved.",
        "Left to itself it leaves when people leave with an F1 of 0.21 [0.15, 0.28] "
        "(at the best threshold 0.47 [0.36, 0.57]); the prompted assistant was not measured: it never ends.",
        "In 3 simulated conversations the person was played by the trained user model.",
    ]


def test_the_prompted_assistant_is_told_beside_the_user_model(run: Inputs) -> None:
    leaving = {"f1_drawn": {"value": 0.01, "low": 0.0, "high": 0.02}, "f1": {"value": 0.2, "low": 0.1, "high": 0.3}}
    user = run.metrics["user"]
    metrics = {**run.metrics, "user": {**user, "termination": {**user["termination"], "prompted": leaving}}}
    told = build_context(run._replace(metrics=metrics))["sentences"][2]
    assert told.endswith(
        "; the prompted assistant with 0.010 [0.000, 0.020] (at the best threshold 0.20 [0.10, 0.30])."
    )


def test_a_gain_that_only_the_maker_of_the_pairs_sees_is_not_confirmed(run: Inputs) -> None:
    drift, follow_up = build_context(run)["arms"]

    # drift: 0.02 ± 0.09 and 0.01 ± 0.09, both noise; follow_up: 0.21 ± 0.12, but by the second scorer 0.105 ± 0.12
    assert "cannot be told from untrained ones, inside the noise (+0.02 [−0.07, +0.11]" in drift
    assert "the backbone, agrees: inside the noise" in drift
    assert "likelier after replies of arm follow_up" in follow_up
    assert "which also chose its pairs" in follow_up
    assert "does not confirm it: inside the noise" in follow_up


def test_an_arm_counts_as_better_when_both_scorers_say_so(run: Inputs) -> None:
    def better(second: dict[str, float]) -> str:
        versus = run.metrics["assistants"]["follow_up"]["versus_untrained"]
        changed = {"versus_untrained": {**versus, "follow_up_likelihood_backbone": second}}
        metrics = {**run.metrics, "assistants": {**run.metrics["assistants"], "follow_up": changed}}
        return str(build_context(run._replace(metrics=metrics))["tiles"][-1]["value"])

    assert better({"value": 0.1, "low": -0.1, "high": 0.3}) == "0 of 2"
    assert better({"value": 0.2, "low": 0.1, "high": 0.3}) == "1 of 2"


def test_a_log_without_feedback_is_said_to_have_none(run: Inputs) -> None:
    silent = build_context(run._replace(feedback=run.feedback.clear()))

    assert silent["sentences"][0].endswith("nobody in them reacted to a reply in a way that the miners recognise.")
