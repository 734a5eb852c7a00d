"""One Polars schema per table, with the grain of its rows.

`check` runs whenever a table is read or written.
"""

import polars as pl

from turnabout.errors import DataError

#: Begins the `user_key` of a person that the log does not name; the id of the conversation follows it.
UNKNOWN_PERSON = "conversation:"

MESSAGE = pl.Struct({"role": pl.String(), "content": pl.String()})

#: One message. `user_key` is the person who wrote it (null for a model); `at` is UTC; `extras` is a JSON object.
#: `alternatives` are other replies that people were shown instead. `preferences` has the same length and says how much
#: this reply was preferred to each of them: 1 this reply, -1 the alternative, 0 a tie, null if nobody compared them.
#: If `preferences` is null, somebody asked for another reply. `flags` are warnings about the text: `toxic`,
#: `redacted`.
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

#: One rejected input record or conversation. `record` is its location (file:line or conversation id).
QUARANTINE = pl.Schema({"source": pl.String(), "record": pl.String(), "reason": pl.String(), "excerpt": pl.String()})

#: One conversation. `split` is train | validation | test | excluded (a person of it is in another split).
SPLITS = pl.Schema({"conversation_id": pl.String(), "user_key": pl.String(), "split": pl.String()})

#: One signal on one assistant reply. `reply_index` and `evidence_index` are message indexes; `score` is in [-1, 1].
#: `rule` names the rule of the miner that fired, null if the miner has no rules. Rows of the miner `ensemble` are
#: decisions: one per reply, made from the signals of all other miners.
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

#: One exchange in a sample for people to judge. `draw` is the number of the sample; `stratum` is the miners' signal at
#: that time; `n_drawn` of the `n_stratum` available exchanges of that stratum were drawn.
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

#: One conversation's intent. `model` is the name of the model that wrote it, "fallback" if no answer was usable
#: (`reason` says why the last one was not), or null if no model was asked. `tries` is the number of answers.
#: `leaks_first` and `leaks` say whether the first and the last answer copy the user's words.
INTENTS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "intent": pl.String(),
        "model": pl.String(),
        "tries": pl.Int32(),
        "leaks_first": pl.Boolean(),
        "leaks": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One flipped conversation. `target_indexes` are the positions in `messages` that the user model learns to write;
#: `ends` is true if the conversation really ended after the last (assistant) message.
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

#: One point of a critique (an Analytical Critique Unit). `location` is a quote of the reply; `severity` is 1 to 5;
#: `label` is the quality of the unit. A unit without a `reason` is part of the critique; one without text is an
#: unusable answer.
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

#: One critique of one dissatisfying reply. `kept` is false if a check failed, and `reason` says which. `units` is null
#: if the critique was written as one sentence. `gain` is how much better revisions are that follow it; null if not
#: tried.
CRITIQUES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "flaw": pl.String(),
        "model": pl.String(),
        "prompt_version": pl.String(),
        "units": pl.List(UNIT),
        "gain": pl.Float64(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One rationale: why `better` is preferred to the logged reply or, if `better` is null, what a better reply would do.
#: `kind` is general | specific. In pair mode the model saw the better reply as A if `order` is `cr` and as B if it is
#: `rc`; `flipped` is its argument for the other reply. Each conviction is how far an argument moved the model towards
#: the side it argues for (nats of log-odds, or -1 to 1 if the model was asked for a verdict).
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
        "model": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One text rated for one aspect. `text` is the logged reply at `reply_index` or a candidate for its position, as
#: `origin` says (logged | edit | refinement | alternative). `position` is the text's position among the candidates
#: that the judge saw. `rating` is 1 to 5, null if not kept; `overall` is the mean over all aspects, null if one is
#: missing.
RATINGS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "origin": pl.String(),
        "text": pl.String(),
        "aspect": pl.String(),
        "position": pl.Int32(),
        "rating": pl.Float64(),
        "rationale": pl.String(),
        "overall": pl.Float64(),
        "model": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One refinement of one dissatisfying reply. `method` is ilf | spar; `critique` is the kept critique in its prompt,
#: null if there was none. `score` is the model's probability that the refinement answers the complaint, null if it
#: failed a check; `score_before` is that of the criticised reply. `depth` counts successive refinements; `similarity`
#: in [0, 1] is the normalised edit similarity to the criticised reply.
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
        "model": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One dissatisfying reply rewritten with knowledge of what the user said later: `n_later` later messages were shown.
#: `score`, `score_before` and `similarity` are as in `REFINEMENTS`.
HINDSIGHTS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "hindsight": pl.String(),
        "n_later": pl.Int32(),
        "score": pl.Float64(),
        "score_before": pl.Float64(),
        "similarity": pl.Float64(),
        "model": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: What one user wants of replies, as a list, for one dissatisfying reply. `whole` is true if all feedback of the
#: conversation was summarised, false if only that up to the reaction to this reply was; `n_feedback` counts the
#: signals. `dropped` has the reason of every entry that was left out.
PREFERENCES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "user_preferences": pl.List(pl.String()),
        "whole": pl.Boolean(),
        "n_feedback": pl.Int32(),
        "dropped": pl.List(pl.String()),
        "model": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One rule that a model proposed, or one answer without a rule (`principle` is null). `source` is pairs | kudos |
#: critiques | edits. `n_for` to `n_invalid` count training pairs by the vote of all orders, null if there was no vote.
#: The remaining figures are those of all kept principles together, null in rows that are not kept: `agreement` is the
#: share of `n_held_out` validation pairs on which an annotator with only these principles prefers what people
#: preferred; `agreement_without` is that of the same annotator without any; both with 95 % Wilson intervals.
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
        "model": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: How one rule relates to one training prompt, the history before `reply_index`. `scope` is in (the rule applies),
#: near (it does not apply, though the prompt resembles one to which it does) or out; null if the model gave no answer.
#: `applies` is the model's P(the rule applies); `similarity` is the cosine to the nearest prompt in scope, null in
#: scope and if there is none.
SCOPES = pl.Schema(
    {
        "rule": pl.String(),
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "scope": pl.String(),
        "applies": pl.Float64(),
        "similarity": pl.Float64(),
        "model": pl.String(),
        "prompt_version": pl.String(),
        "kept": pl.Boolean(),
        "reason": pl.String(),
    }
)

#: One preference pair of one arm. A kept pair has a `reason` too; `evidence` is the user's message that caused the
#: pair, or in brackets what the user did. A single judged reply has one side only: `chosen` if it was liked, else
#: `rejected`. `rejected_prompt` is null if both replies follow `prompt`. `r_chosen` and `r_rejected` are the rule's
#: own scores (in the rule's unit), `margin` is their difference. `difficulty` is the untrained policy's log
#: π(rejected) − log π(chosen) in nats; above 0 it ranks the pair wrongly. `p_win` is the probability that the chosen
#: side is better; null means certain. Columns of quality measures are null if the measure is off.
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

#: One message of a simulated conversation. `ended_by` of the last message is end_token | silence | cut_off | max_turns;
#: it is null on the others.
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

#: One answer of one assistant. `prompt` is the history up to a user message; `cut_off` is true if the answer reached
#: its token limit.
ANSWERS = pl.Schema(
    {
        "conversation_id": pl.String(),
        "user_key": pl.String(),
        "assistant": pl.String(),
        "prompt": pl.List(MESSAGE),
        "answer": pl.String(),
        "cut_off": pl.Boolean(),
        "follow_up_likelihood_user": pl.Float64(),
        "follow_up_likelihood_backbone": pl.Float64(),
    }
)


def check(frame: pl.DataFrame, schema: pl.Schema, name: str) -> pl.DataFrame:
    """Return the frame with exactly the schema's columns, in order.

    Raises `DataError` naming missing columns and columns of another type.
    """
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise DataError(f"{name}: missing columns {missing}; has {frame.columns}; rerun the stage that writes it")
    frame = frame.select(list(schema))
    wrong = [
        f"{column} is {frame.schema[column]}, must be {dtype}"
        for column, dtype in schema.items()
        if frame.schema[column] != dtype
    ]
    if wrong:
        raise DataError(f"{name}: {'; '.join(wrong)}")
    return frame
