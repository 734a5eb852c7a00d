"""One Polars schema per table, each with its grain; `check` is the only gate between a frame and a file."""

import polars as pl

from turnabout.errors import DataError

MESSAGE = pl.Struct({"role": pl.String(), "content": pl.String()})

#: One message. `user_key` is the person who wrote it (null for a model); `at` is UTC; `extras` is a JSON object.
#: `alternatives` are other replies people were shown in its place. `preferences`, as long, says of each how much this
#: reply was preferred to it: 1 this one, -1 the alternative, 0 a tie, null where nobody compared; without it somebody
#: asked for another reply. `flags` warns of the text: `toxic`, `redacted`.
MESSAGES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "message_index": pl.Int32(),
        "role": pl.String(),
        "text": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "user_key": pl.String(),
        "source": pl.String(),
        "model": pl.String(),
        "language": pl.String(),
        "rating": pl.Float64(),
        "reaction": pl.String(),
        "edited_text": pl.String(),
        "alternatives": pl.List(pl.String()),
        "preferences": pl.List(pl.Float64()),
        "flags": pl.List(pl.String()),
        "extras": pl.String(),
    }
)

#: One rejected input record or conversation. `record` says where it was (file:line or conversation id).
QUARANTINE = pl.Schema({"source": pl.String(), "record": pl.String(), "reason": pl.String(), "excerpt": pl.String()})

#: One conversation. `split` is train | validation | test | excluded (shares a person across a border).
SPLITS = pl.Schema({"conversation_id": pl.String(), "user_key": pl.String(), "split": pl.String()})

#: One signal on one assistant reply. `reply_index`/`evidence_index` are message indexes; score in [-1, 1]. `rule` is
#: the miner's own name for what it went by, null where it has none. Rows of the miner `ensemble` are decisions: one per
#: reply, the others' signals together.
FEEDBACK = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "evidence_index": pl.Int32(),
        "label": pl.String(),
        "category": pl.String(),
        "rule": pl.String(),
        "span": pl.String(),
        "score": pl.Float64(),
        "confidence": pl.Float64(),
        "miner": pl.String(),
        "version": pl.String(),
    }
)

#: One exchange that people were asked to judge. `draw` counts the samples drawn so far; `stratum` is what the miners
#: had said of it then; `n_stratum` exchanges of that stratum could be drawn and `n_drawn` were.
LABEL_SAMPLE = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "draw": pl.Int32(),
        "stratum": pl.String(),
        "n_stratum": pl.Int32(),
        "n_drawn": pl.Int32(),
    }
)

#: One person's judgement of one exchange. `label` is sat | dsat | none; `category` may be null.
LABELS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "label": pl.String(),
        "category": pl.String(),
        "annotator": pl.String(),
    }
)

#: One conversation's intent. `author` is a model name, "fallback" where no answer could be used for the `reason` of the
#: last, or null where nobody was asked. `leaks_first` and `leaks` say whether the first of its `tries` answers and the
#: last one copy the user's words.
INTENTS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "intent": pl.String(),
        "author": pl.String(),
        "tries": pl.Int32(),
        "leaks_first": pl.Boolean(),
        "leaks": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One flipped conversation: `target_indexes` are the positions in `messages` the user model learns to write,
#: `ends` is true where the person really left after the last (assistant) message.
USER_SAMPLES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "user_key": pl.String(),
        "split": pl.String(),
        "intent": pl.String(),
        "messages": pl.List(MESSAGE),
        "target_indexes": pl.List(pl.Int32()),
        "ends": pl.Boolean(),
    }
)

#: One critic's point about a reply (an Analytical Critique Unit); `location` is a quote of the reply, `severity` 1 to
#: 5. `label` is its quality. A unit without a `reason` went into the critique; one without words is an unusable answer.
UNIT = pl.Struct(
    {
        "critic": pl.String(),
        "location": pl.String(),
        "flaw": pl.String(),
        "suggestion": pl.String(),
        "criterion": pl.String(),
        "severity": pl.Int32(),
        "label": pl.String(),
        "reason": pl.String(),
    }
)

#: One critique of one dissatisfying reply; `kept` is false where a check failed, and `reason` says which. `units` is
#: null where it was written as one sentence. `gain` is how much better revisions are that follow it, null where not
#: tried.
CRITIQUES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "flaw": pl.String(),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "units": pl.List(UNIT),
        "gain": pl.Float64(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One rationale: why `better` is preferred to the logged reply or, where it is null, what a better reply would do.
#: `kind` is general | specific. Of a pair, the author saw the better reply as A where `order` is `cr`, as B where it is
#: `rc`; `flipped` is what it argued for the other reply, and either conviction how far that won it over (nats of
#: log-odds, or -1 to 1 where it was asked for its verdict).
RATIONALES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "better": pl.String(),
        "kind": pl.String(),
        "order": pl.String(),
        "rationale": pl.String(),
        "flipped": pl.String(),
        "conviction": pl.Float64(),
        "conviction_flipped": pl.Float64(),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One text rated for one aspect. `text` could stand at `reply_index`: the logged reply or another one, as `origin` says
#: (logged | edit | refinement | alternative); `place` is where among the reply's texts the judge saw it. `rating` is 1
#: to 5, null where not kept; `overall` is the mean over all aspects, null where one is missing.
RATINGS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "origin": pl.String(),
        "text": pl.String(),
        "aspect": pl.String(),
        "place": pl.Int32(),
        "rating": pl.Float64(),
        "rationale": pl.String(),
        "overall": pl.Float64(),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One refinement of one dissatisfying reply. `method` is ilf | spar; `critique` is the kept critique it was told of,
#: null where there was none. `score` is how sure the author is, 0 to 1, that it meets the complaint, null where it
#: failed a check; `score_before` is the same of the criticised reply. `depth` counts refinements one after another;
#: `similarity`, 0 to 1, is the normalised edit similarity to the criticised reply.
REFINEMENTS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "method": pl.String(),
        "refined": pl.String(),
        "critique": pl.String(),
        "score": pl.Float64(),
        "score_before": pl.Float64(),
        "depth": pl.Int32(),
        "similarity": pl.Float64(),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One dissatisfying reply rewritten by somebody who knew what the user said afterwards: `n_later` messages of theirs
#: were shown. `score`, `score_before` and `similarity` as of a refinement.
HINDSIGHTS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "hindsight": pl.String(),
        "n_later": pl.Int32(),
        "score": pl.Float64(),
        "score_before": pl.Float64(),
        "similarity": pl.Float64(),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: What one user wants of replies, as a list of wishes, for one dissatisfying reply. `whole` is true where all feedback
#: of the conversation was summarised, false where only that up to the reaction to this reply was: `n_feedback` signals.
#: `dropped` has the reason of every wish that was left out.
PREFERENCES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "user_preferences": pl.List(pl.String()),
        "whole": pl.Boolean(),
        "n_feedback": pl.Int32(),
        "dropped": pl.List(pl.String()),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One rule that a model proposed, or one answer of it without any (`principle` is null). `source` is pairs | kudos |
#: critiques | edits. `n_for` to `n_invalid` count training pairs by what all orders of the vote said, null where it was
#: not voted on. The other figures are those of all kept principles together, null in rows that are not kept: the share
#: of `n_held_out` validation pairs on which an annotator told nothing else prefers what people did, `agreement_without`
#: that of the same annotator told nothing, each with its 95 % Wilson interval.
PRINCIPLES = pl.Schema(
    {
        "principle": pl.String(),
        "source": pl.String(),
        "n_for": pl.Int32(),
        "n_against": pl.Int32(),
        "n_abstain": pl.Int32(),
        "n_invalid": pl.Int32(),
        "n_held_out": pl.Int32(),
        "agreement": pl.Float64(),
        "agreement_low": pl.Float64(),
        "agreement_high": pl.Float64(),
        "agreement_without": pl.Float64(),
        "agreement_without_low": pl.Float64(),
        "agreement_without_high": pl.Float64(),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: Where one rule stands to one training prompt, the history before `reply_index`. `scope` is in (the rule applies),
#: near (it does not, though the prompt resembles one of those) or out, null where nobody could tell. `applies` is the
#: author's P(it applies); `similarity` is the cosine to the nearest prompt in scope, null in scope and where there is
#: none.
SCOPES = pl.Schema(
    {
        "rule": pl.String(),
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "scope": pl.String(),
        "applies": pl.Float64(),
        "similarity": pl.Float64(),
        "author": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One preference pair of one arm. Kept or dropped, it has a `reason`; `evidence` is the user's message that caused it,
#: or in brackets what they did. A judged reply alone has one side: `chosen` where it was liked, else `rejected`.
#: `rejected_prompt` is null where both replies follow `prompt`. `r_chosen` and `r_rejected` are what the rule's own
#: measure gave both sides (its unit is the rule's), `margin` their difference. `difficulty` is the untrained policy's
#: log π(rejected) − log π(chosen) in nats: above 0 it ranks the pair wrongly. `p_win` is the probability that the
#: chosen side is the better one; null is certain. Columns of quality are null where nobody asked for them.
PAIRS = pl.Schema(
    {
        "pair_id": pl.String(),
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "user_key": pl.String(),
        "split": pl.String(),
        "prompt": pl.List(MESSAGE),
        "chosen": pl.String(),
        "rejected": pl.String(),
        "rejected_prompt": pl.List(MESSAGE),
        "r_chosen": pl.Float64(),
        "r_rejected": pl.Float64(),
        "margin": pl.Float64(),
        "weight": pl.Float64(),
        "p_win": pl.Float64(),
        "strength_mean": pl.Float64(),
        "strength_std": pl.Float64(),
        "ches": pl.Float64(),
        "difficulty": pl.Float64(),
        "rationale": pl.String(),
        "keep": pl.Boolean(),
        "reason": pl.String(),
        "evidence": pl.String(),
    }
)

#: One message of a simulated conversation. `ended_by`: end_token | silence | max_turns on the last message, else null.
ROLLOUTS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "task_id": pl.String(),
        "turn": pl.Int32(),
        "role": pl.String(),
        "text": pl.String(),
        "intent": pl.String(),
        "ended_by": pl.String(),
        "resamples": pl.Int32(),
        "faults": pl.List(pl.String()),
        "simulator": pl.String(),
        "policy": pl.String(),
        "seed": pl.Int64(),
    }
)

#: One answer of one assistant. `prompt` is the history up to a user message.
ANSWERS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "user_key": pl.String(),
        "assistant": pl.String(),
        "prompt": pl.List(MESSAGE),
        "answer": pl.String(),
        "follow_up_likelihood_user": pl.Float64(),
        "follow_up_likelihood_backbone": pl.Float64(),
    }
)


def check(frame: pl.DataFrame, schema: pl.Schema, name: str) -> pl.DataFrame:
    """The frame with exactly the schema's columns in order; `DataError` names what is missing or of another type."""
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise DataError(f"{name}: missing columns {missing}; has {frame.columns}; rerun the stage that writes it")
    frame = frame.select(list(schema))
    wrong = {column: (frame.schema[column], dtype) for column, dtype in schema.items() if frame.schema[column] != dtype}
    if wrong:
        told = "; ".join(f"{column} is {came}, must be {wanted}" for column, (came, wanted) in wrong.items())
        raise DataError(f"{name}: {told}")
    return frame
