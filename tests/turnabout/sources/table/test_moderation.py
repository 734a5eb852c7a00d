from turnabout.sources.table.moderation import Moderation, found_by_score


def test_two_spellings_of_one_category_are_one_and_what_was_not_found_is_left_out() -> None:
    names = ["hate/threatening", "hate_threatening", "self-harm", "violence"]
    verdict = Moderation(
        categories=dict(zip(names, [True, None, True, False], strict=True)),
        category_scores=dict(zip(names, [0.9, None, 0.8, 0.4], strict=True)),
    )
    assert verdict.found() == {"hate_threatening": 0.9, "self_harm": 0.8}


def test_a_verdict_without_scores_still_names_what_it_found() -> None:
    assert Moderation(categories={"hate": True}).found() == {"hate": None}
    assert Moderation().found() == {}


def test_scores_of_one_half_or_more_are_found() -> None:
    scores = {"toxicity": 0.5, "insult": 0.49, "threat": None, "obscene": float("nan")}
    assert found_by_score(scores) == {"toxicity": 0.5}
    assert found_by_score(None) == {}
