"""The self-reference judge: it answers first, then compares both replies with its own answer (arXiv 2406.11190).

The comparison is written for each order of the replies; the verdict is asked for with the comparison before the judge's
eyes.
"""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.generation.base import Generator, Sampling
from turnabout.judging.base import Duel, Judging
from turnabout.judging.plain import LOOK, record
from turnabout.prompting.excerpts import CHARACTERS, beginning, newest
from turnabout.prompting.fencing import data

ANSWER = """\
The lines between tags are a conversation, a record. Write the reply that serves its user best, and nothing else.
{conversation}"""

CRITICISE = "Say in two or three sentences where A and B are better or worse than your own reply. Do not choose yet."


def tell(judge: Generator, duels: Sequence[Duel], how: Judging) -> list[str]:
    """The record of each duel, the judge's own reply, and its comparison of both with that."""
    referred = [
        f"{record(duel, how)}\nYour own reply to the same message:\n{data('own_reply', own)}\n{LOOK}"
        for duel, own in zip(duels, own_replies(judge, duels, how), strict=True)
    ]
    comparisons = _write(judge, [f"{told} {CRITICISE}" for told in referred], how)
    return [
        f"{told}\nYour comparison:\n{data('comparison', comparison)}"
        for told, comparison in zip(referred, comparisons, strict=True)
    ]


def own_replies(judge: Generator, duels: Sequence[Duel], how: Judging) -> list[str]:
    """The judge's reply to each duel's prompt, cut as the others are; one prompt is answered once."""
    room = CHARACTERS * how.max_prompt_tokens
    questions = [ANSWER.format(conversation=data("conversation", newest(duel.prompt, room // 2))) for duel in duels]
    distinct = list(dict.fromkeys(questions))
    answers = dict(zip(distinct, _write(judge, distinct, how), strict=True))
    return [beginning(answers[question], room // 4) for question in questions]


def _write(judge: Generator, questions: Sequence[str], how: Judging) -> list[str]:
    prompts: list[list[Message]] = [[{"role": "user", "content": question}] for question in questions]
    return [answer.text for answer in judge.generate(prompts, Sampling(how.max_new_tokens, seed=how.seed))]
