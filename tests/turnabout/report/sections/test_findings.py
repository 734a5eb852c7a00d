from turnabout.report import Inputs
from turnabout.report.sections.findings import build_context


def test_sentences_name_the_log_the_user_model_and_the_simulator(run: Inputs) -> None:
    assert build_context(run)["sentences"] == [
        "Kept of the log: 3 conversations of 3 people, with 4 signals of feedback, on 66.7\u00a0% of the replies.",
        "The trained user model predicts held-out people better than the untrained backbone does: "
        "0.43 [0.39, 0.47] bits per character saved.",
        "It predicts the end of the conversation with an F1 of 0.21 [0.15, 0.28] "
        "(at the best threshold 0.47 [0.36, 0.57]); the prompted assistant was not measured: it never ends.",
        "In 3 simulated conversations the user was played by the trained user model.",
    ]


def test_describe_termination_adds_the_prompted_assistant(run: Inputs) -> None:
    termination = {"f1_drawn": {"value": 0.01, "low": 0.0, "high": 0.02}, "f1": {"value": 0.2, "low": 0.1, "high": 0.3}}
    user = run.metrics["user"]
    metrics = {**run.metrics, "user": {**user, "termination": {**user["termination"], "prompted": termination}}}
    sentence = build_context(run._replace(metrics=metrics))["sentences"][2]
    assert sentence.endswith(
        "; the prompted assistant has 0.010 [0.000, 0.020] (at the best threshold 0.20 [0.10, 0.30])."
    )


def test_describe_assistant_needs_the_second_scorer_to_confirm_a_gain(run: Inputs) -> None:
    drift, follow_up = build_context(run)["arms"]

    # drift: 0.02 ± 0.09 and 0.01 ± 0.09, both noise; follow_up: 0.21 ± 0.12, but by the second scorer 0.105 ± 0.12
    assert "do not differ by more than the noise (+0.02 [−0.07, +0.11]" in drift
    assert "the backbone, agrees: inside the noise" in drift
    assert "likelier after replies of arm follow_up" in follow_up
    assert "which also chose its pairs" in follow_up
    assert "does not confirm it: inside the noise" in follow_up


def test_tiles_count_an_arm_as_better_if_both_scorers_agree(run: Inputs) -> None:
    def count_better(second: dict[str, float]) -> str:
        versus = run.metrics["assistants"]["follow_up"]["versus_untrained"]
        changed = {"versus_untrained": {**versus, "follow_up_likelihood_backbone": second}}
        metrics = {**run.metrics, "assistants": {**run.metrics["assistants"], "follow_up": changed}}
        return str(build_context(run._replace(metrics=metrics))["tiles"][-1]["value"])

    assert count_better({"value": 0.1, "low": -0.1, "high": 0.3}) == "0 of 2"
    assert count_better({"value": 0.2, "low": 0.1, "high": 0.3}) == "1 of 2"


def test_describe_log_says_that_there_is_no_feedback(run: Inputs) -> None:
    context = build_context(run._replace(feedback=run.feedback.clear()))

    assert context["sentences"][0].endswith("the miners found no reaction to a reply in them.")
