from turnabout.sources.table.moderation import Moderation, select_high_scores


def test_spellings_of_a_category_are_merged() -> None:
    names = ["hate/threatening", "hate_threatening", "self-harm", "violence"]
    moderation = Moderation(
        categories=dict(zip(names, [True, None, True, False], strict=True)),
        category_scores=dict(zip(names, [0.9, None, 0.8, 0.4], strict=True)),
    )
    assert moderation.select_flagged_scores() == {"hate_threatening": 0.9, "self_harm": 0.8}


def test_flagged_categories_are_named_without_scores() -> None:
    assert Moderation(categories={"hate": True}).select_flagged_scores() == {"hate": None}
    assert Moderation().select_flagged_scores() == {}


def test_scores_of_at_least_one_half_are_selected() -> None:
    scores = {"toxicity": 0.5, "insult": 0.49, "threat": None, "obscene": float("nan")}
    assert select_high_scores(scores) == {"toxicity": 0.5}
    assert select_high_scores(None) == {}
