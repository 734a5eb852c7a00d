"""The self-reference judge: it replies itself before it compares.

Source: arXiv 2406.11190. It compares both replies with its own one. The critique is written for each order of the
replies, and the verdict is asked for with the critique in the prompt.
"""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.generation.base import Generator, Sampling
from turnabout.judging.base import Comparison, JudgeOptions
from turnabout.judging.plain import CRITERIA, build_comparison_record
from turnabout.prompting.excerpts import CHARS_PER_TOKEN, keep_beginning, keep_newest
from turnabout.prompting.fencing import fence

ANSWER = """\
The text between tags is a record of a conversation. Write the next reply of the assistant, the one that helps the user
best. Write nothing else.
{conversation}"""

CRITICISE = (
    "In two or three sentences, say where A and B are better or worse than your own reply. Do not choose between A and "
    "B yet."
)


def build_prompts(judge: Generator, comparisons: Sequence[Comparison], options: JudgeOptions) -> list[str]:
    """Return the record, the judge's own reply and its critique of both.

    The critique compares both replies with the judge's own.
    """
    own_replies = write_own_replies(judge, comparisons, options)
    records = [
        _add_own_reply(build_comparison_record(comparison, options), own_reply)
        for comparison, own_reply in zip(comparisons, own_replies, strict=True)
    ]
    critiques = _generate_texts(judge, [f"{record} {CRITICISE}" for record in records], options)
    return [
        f"{record}\nYour comparison:\n{fence('comparison', critique)}"
        for record, critique in zip(records, critiques, strict=True)
    ]


def write_own_replies(judge: Generator, comparisons: Sequence[Comparison], options: JudgeOptions) -> list[str]:
    """Return the judge's reply to the prompt of each comparison.

    It is cut to the length of the replies that are compared. Equal prompts are answered once.
    """
    max_chars = CHARS_PER_TOKEN * options.max_prompt_tokens
    questions = []
    for comparison in comparisons:
        conversation = fence("conversation", keep_newest(comparison.prompt, max_chars // 2))
        questions.append(ANSWER.format(conversation=conversation))
    distinct = list(dict.fromkeys(questions))
    answers = dict(zip(distinct, _generate_texts(judge, distinct, options), strict=True))
    return [keep_beginning(answers[question], max_chars // 4) for question in questions]


def _add_own_reply(record: str, own_reply: str) -> str:
    return f"{record}\nYour own reply to the same message:\n{fence('own_reply', own_reply)}\n{CRITERIA}"


def _generate_texts(judge: Generator, questions: Sequence[str], options: JudgeOptions) -> list[str]:
    prompts: list[list[Message]] = [[{"role": "user", "content": question}] for question in questions]
    sampling = Sampling(options.max_new_tokens, seed=options.seed)
    return [answer.text for answer in judge.generate(prompts, sampling)]
