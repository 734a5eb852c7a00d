"""Every rule by name: follow-ups that it must match, and follow-ups that only look like it."""

import polars as pl
import pytest

from turnabout.feedback.miners.keywords import extract_keywords
from turnabout.feedback.miners.rephrase import Rephrase
from turnabout.feedback.miners.rules import RULE_BOOK, Rules, match_rule, remove_ignored_phrases, select_candidates

#: By rule: follow-ups that it must match, and near misses that it must not match (another rule may match them).
EXAMPLES = {
    "meant_otherwise": (
        ["No, I meant the lake near town", "I said lake, not pool", "I asked for trains, not buses"],
        ["oops, I meant Tuesday", "I meant to say that I like it", "no I have not"],
    ),
    "says_what_is_right": (
        ["You should have mentioned the fee", "It should have been Canberra", "The correct answer is seven"],
        ["It should be in the north", "you should have a look", "the right one for me"],
    ),
    "mixed_up": (
        ["You got that backwards", "you're confusing him with his brother", "You mixed up the dates"],
        ["you got it!", "you're confusing", "I mixed up the eggs"],
    ),
    "told_before": (
        ["I already told you", "like I just said, it is red", "For the third time, I want a list"],
        ["I told my sister", "once more with feeling", "he already said hello"],
    ),
    "asks_again": (
        ["Let me rephrase: where is it warm?", "My question was about May", "what I'm asking is why"],
        ["let me think", "I asked my boss", "my question is new"],
    ),
    "not_what_i_asked": (
        ["That's not what I asked.", "this isn't what I wanted", "That doesn't answer my question"],
        ["what I asked for is great", "that does answer it", "it is not that far"],
    ),
    "ignored": (
        [
            "You didn't read my message",
            "I told you not to use bullets",
            "You forgot the second part",
            "Follow the instructions",
        ],
        ["I forgot the keys", "did you read the book?", "you never know"],
    ),
    "repeats_itself": (
        ["You keep saying that", "Stop apologizing", "It's the same answer again"],
        ["keep it going", "you said yes", "we have the same car"],
    ),
    "wrong": (
        ["That's wrong.", "wrong answer", "I don't think that's right", "still incorrect"],
        ["I told him he was wrong", "that's wrong of them to do", "I think that is right"],
    ),
    "senseless": (
        ["That makes no sense!", "What are you talking about?", "It doesn't make any sense to me"],
        ["what are you doing", "that makes sense", "a sense of humour"],
    ),
    "does_not_work": (
        ["It still doesn't work", "I get the same error", "Still not working", "The code won't compile"],
        ["my phone doesn't work on trains", "it works", "error handling please"],
    ),
    "made_up": (
        ["You made that up", "That function doesn't exist", "there is no such library", "you're hallucinating"],
        ["I made it up to her", "ghosts don't exist", "there is no such luck as mine"],
    ),
    "poor_form": (
        ["this is way too vague", "It sounds robotic", "Your answer is too long", "that's incomplete"],
        ["it is too long ago to say", "he sounds robotic", "that sounds like fun"],
    ),
    "another_form": (
        [
            "Make it shorter",
            "can you rewrite this",
            "Could you please make the text more formal?",
            "now in German",
            "translate it into French",
        ],
        [
            "make it to the party",
            "I rewrite my notes daily",
            "in Germany",
            "translate this into French: la vie est belle",
        ],
    ),
    "add_or_remove": (
        ["Add an example", "Can you include some more details?", "remove the last paragraph", "without emojis please"],
        ["I add sugar to tea", "remove your shoes", "without a doubt"],
    ),
    "another_try": (
        ["Write it again", "give me another version", "show me three more examples", "regenerate"],
        ["see you again", "give me a break", "I write again and again"],
    ),
    "does_not_understand": (
        ["What do you mean?", "Hm, I don't understand.", "can you clarify"],
        ["what do you mean to people who love you", "I understand", "can you swim"],
    ),
    "what": (["huh?", "Sorry?", "wdym?"], ["what time?", "sorry I am late", "what"]),
    "doubt": (
        ["Are you sure?", "are you sure about that", "Is that correct?", "what is your source?"],
        ["I am sure", "you are surely right", "is that all"],
    ),
    "helped": (
        ["Thank you so much for your help", "ok, that helps", "It works now", "That fixed the problem", "Exactly"],
        ["thanks to my sister I can swim", "it works at night", "exactly one of them"],
    ),
    "praise": (
        ["Great idea!", "you're right", "Nice work", "that's much better", "I like this version"],
        ["that's right on the corner", "I like this city", "a great idea is rare", "how much better is it?"],
    ),
    "thanks": (["Oh great, thanks!", "thank you"], ["no thanks", "thank god it is Friday", "I'm good thanks"]),
    "understood": (
        ["Got it", "ok, makes sense", "Understood, thanks"],
        ["I got it from a shop", "is that understood by all", "he understood"],
    ),
}

#: A new topic, a new request or plain talk: no judgement of the reply.
NEW_TOPICS = [
    "Anyway, let's talk about something else",
    "New question: how tall is the tower?",
    "Moving on, do you know any songs?",
    "On another topic, what about trains?",
    "By the way, can you write a poem about rain?",
    "Now tell me about the history of Rome",
    "Different subject. Do you cook?",
    "Next, explain photosynthesis",
    "What else is there to see?",
]


def match_rule_names(exchange, follow_up: str) -> set[str]:
    return {rule.name for rule in RULE_BOOK.rules if match_rule(prepare(exchange, follow_up), rule).height}


def prepare(exchange, follow_up: str) -> pl.DataFrame:
    return exchange(follow_up=follow_up).with_columns(searched="follow_up").with_columns(remove_ignored_phrases())


def test_every_rule_has_examples_and_a_name_of_its_own():
    names = [rule.name for rule in RULE_BOOK.rules]
    assert sorted(EXAMPLES) == sorted(names)
    assert all(hits and misses for hits, misses in EXAMPLES.values())


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (hits, _) in EXAMPLES.items() for text in hits])
def test_rule_matches_its_examples(exchange, name, text):
    assert name in match_rule_names(exchange, text)
    signals = Rules().mine(exchange(follow_up=text))
    rule = next(rule for rule in RULE_BOOK.rules if rule.name == name)
    assert (name, rule.category) in signals.select("rule", "category").rows()


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (_, misses) in EXAMPLES.items() for text in misses])
def test_rule_does_not_match_near_misses(exchange, name, text):
    assert name not in match_rule_names(exchange, text)


@pytest.mark.parametrize("text", NEW_TOPICS)
def test_change_of_topic_is_no_signal(exchange, text):
    assert Rules().mine(exchange(follow_up=text)).is_empty()
    assert Rephrase().mine(exchange(follow_up=text)).is_empty()


def test_revision_is_weak_and_keeps_the_signal_of_thanks(exchange):
    signals = Rules().mine(exchange(follow_up="Thanks! Now make it shorter")).sort("category")
    assert signals.select("category", "label", "score", "confidence").rows() == [
        ("positive", "sat", 0.7, 0.7),
        ("revision", "dsat", -0.3, 0.5),
    ]


def test_keywords_lose_no_match_of_a_rule(exchange):
    texts = [text for hits, misses in EXAMPLES.values() for text in (*hits, *misses)]
    texts += [f"{one} {other}".upper() for one, other in zip(texts, reversed(texts), strict=True)]
    table = pl.concat(prepare(exchange, text).with_columns(conversation_id=pl.lit(text)) for text in texts)
    for rule in RULE_BOOK.rules:
        assert match_rule(select_candidates(table, rule), rule).equals(match_rule(table, rule)), rule.name


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("you('re| are) wrong", ["wrong"]),
        ("(thanks|thx)( a lot)?", ["thanks", "thx"]),
        ("makes? (no|zero) sense", ["sense"]),
        ("apologi[sz]ing now", ["apologi"]),
        ("(lake|pool) (is )?(wet|(very )?damp)", ["lake", "pool"]),
        ("(\\w+ )*pond", ["pond"]),
    ],
)
def test_keywords_are_the_most_selective_words(phrase, words):
    assert extract_keywords([phrase]) == words


@pytest.mark.parametrize("phrase", ["\\w+", "(lake)?", "(lake|\\d+)", "lake)"])
def test_phrase_without_a_certain_word_is_refused(phrase):
    with pytest.raises(ValueError, match="has no word that every text"):
        extract_keywords([phrase])
