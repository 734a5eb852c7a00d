"""A small run made by hand, for the tests of the report.

It has three conversations, two arms, and differences inside and outside of the noise.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from stages.simulate import summarize_simulation
from turnabout.core import schemas
from turnabout.core.conversations import build_exchanges
from turnabout.feedback.mining import MiningResult, summarise_mining
from turnabout.report import Inputs
from turnabout.report.inputs import ASSISTANT_CURVE, BY_TURN, USER_CURVE
from turnabout.stats.estimate import Estimate, missing_estimate
from turnabout.training.reward_model import measure_accuracy

ARMS = {"drift": "data/critiques.parquet", "follow_up": "models/user"}


def build_table(schema: pl.Schema, rows: Sequence[dict[str, Any]] = ()) -> pl.DataFrame:
    """Build a table whose missing values are null."""
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema)


def build_estimate(value: float, low: float, high: float, n: int = 40) -> dict[str, Any]:
    return Estimate(value, low, high, n).to_dict()


def build_messages(conversation_id: str, user: str, *texts: str) -> list[dict[str, Any]]:
    """Return the messages of one conversation, user first."""
    return [
        {
            "conversation_id": conversation_id,
            "message_index": index,
            "role": "assistant" if index % 2 else "user",
            "text": text,
            "user_key": None if index % 2 else user,
            "source": "chitchat",
            "extras": "{}",
        }
        for index, text in enumerate(texts)
    ]


MESSAGES = [
    *build_messages(
        "c1",
        "ann",
        "hey, do you know any good films?",
        "I like cooking pasta.",
        "No, I asked about films, not cooking.",
        "Sorry! Try Paterson, it is a calm one about a bus driver who writes poems.",
        "thanks, that's great",
    ),
    *build_messages(
        "c2", "ben", "hi", "hello there", "what do you mean by <script>alert('x')</script>?", "oh nothing", "ok bye"
    ),
    *build_messages(
        "c3", "cat", "where did you grow up?", "In Riga, by the sea.", "lovely! is it cold?", "Only in winter."
    ),
]


def build_signal(
    conversation_id: str, reply: int, label: str, *, category: str, span: str, **row: Any
) -> dict[str, Any]:
    return {
        "conversation_id": conversation_id,
        "reply_index": reply,
        "evidence_index": reply + 1,
        "label": label,
        "category": category,
        "span": span,
        "score": 0.9 if label == "sat" else -0.9,
        "confidence": 0.8,
        "miner": "ensemble",
        "version": "1",
        **row,
    }


FEEDBACK = [
    build_signal("c1", 1, "dsat", category="correction", span="I asked about films, not cooking"),
    build_signal("c1", 3, "sat", category="positive", span="that's great"),
    build_signal("c2", 1, "dsat", category="clarification", span="what do you mean", confidence=0.5),
    build_signal("c3", 1, "sat", category="rating", span="1.0", evidence_index=1, confidence=1.0),
]


def build_pair(rule: str, conversation_id: str, keep: bool = True, **row: Any) -> dict[str, Any]:
    return {
        "pair_id": f"{rule}:{conversation_id}:1",
        "conversation_id": conversation_id,
        "reply_index": 1,
        "split": "train",
        "prompt": [{"role": "user", "content": "hey, do you know any good films?"}],
        "chosen": "What kind of films do you like?",
        "rejected": "I like cooking pasta.",
        "weight": 0.8,
        "keep": keep,
        "reason": None if keep else "near-identical",
        **row,
    }


def build_rollout(policy: str, task: str, texts: Sequence[str], **last: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "conversation_id": f"{policy}:{task}",
            "task_id": task,
            "turn": turn,
            "role": "assistant" if turn % 2 else "user",
            "text": text,
            "intent": "You are a user chatting with an assistant language model to talk about your day.",
            "resamples": 0,
            "faults": [],
            "simulator": "trained:user",
            "policy": policy,
            "seed": 1,
        }
        for turn, text in enumerate(texts)
    ]
    return [*rows[:-1], {**rows[-1], **last}]


ROLLOUTS = {
    "untrained": build_table(
        schemas.ROLLOUTS,
        build_rollout("untrained", "c3", ["hi", "Hello! How can I help?", "hi", "Hello!"], ended_by="max_turns"),
    ),
    "drift": build_table(
        schemas.ROLLOUTS,
        build_rollout("drift", "c3", ["hey", "Hey, how was your day?", "long, and yours?"], ended_by="end_token"),
    ),
    "follow_up": build_table(
        schemas.ROLLOUTS,
        build_rollout(
            "follow_up",
            "c3",
            ["hey", "Hi! Anything nice planned?", "just sleep"],
            ended_by="end_token",
            resamples=1,
            faults=["too long"],
        ),
    ),
}


def build_assistant_figures(shift: float, width: float) -> dict[str, Any]:
    """Return the figures of one assistant.

    Its follow-up likelihood is `shift` above the untrained one's, with an interval of ± `width`.
    """
    return {
        "follow_up_likelihood": {
            "user": build_estimate(0.8 + shift, 0.5, 1.1),
            "backbone": build_estimate(0.6 + shift, 0.4, 0.9),
        },
        "reply_characters": build_estimate(84 + 10 * shift, 70, 99),
        "reward": {arm: build_estimate(shift, shift - 0.2, shift + 0.2) for arm in ("drift", "follow_up")},
        "ranking_accuracy": {
            "drift": build_estimate(0.5 + shift, 0.35, 0.8),
            "follow_up": missing_estimate("no held-out pair").to_dict(),
        },
        "versus_untrained": {
            "follow_up_likelihood": build_estimate(shift, shift - width, shift + width),
            "follow_up_likelihood_backbone": build_estimate(shift / 2, shift / 2 - width, shift / 2 + width),
            "reply_characters": build_estimate(10 * shift, 10 * shift - 8, 10 * shift + 8),
            "reward": {
                "drift": build_estimate(shift, shift - width, shift + width),
                "follow_up": missing_estimate("too few pairs").to_dict(),
            },
        },
    }


def build_figures_by_intent(with_intent: float, without: float, spread: float) -> dict[str, Any]:
    figures = {"with_intent": with_intent, "without_intent": without}
    return {name: build_estimate(value, value - spread, value + spread) for name, value in figures.items()}


METRICS: dict[str, Any] = {
    "ingest": {"n_conversations": 5, "n_messages": 40, "n_rejected": 2, "conversations_by_source": {"chitchat": 5}},
    "clean": {"n_conversations_in": 5, "n_conversations": 3, "scrubbed_by_kind": {"email": 2, "url": 0}},
    "split": {
        "conversations_by_split": {"excluded": 2, "test": 1, "train": 1, "validation": 1},
        "users_by_split": {"excluded": 1, "test": 1, "train": 1, "validation": 1},
        "excluded_by_reason": {"validation user in train": 0, "known person in test": 2},
        "warnings": ["only 1 person in validation"],
    },
    "mine": summarise_mining(
        build_exchanges(build_table(schemas.MESSAGES, MESSAGES)).height,
        MiningResult(build_table(schemas.FEEDBACK, FEEDBACK), 1, 0),
    ),
    "intend": {"n_intents": 3, "n_fallback": 1},
    "augment": {
        "n_criticised": 2,
        "n_replies": 2,
        "critiques": {"n": 2, "kept": 1, "dropped_by_reason": {"too short": 1}},
        "rationales": {"n": 1, "kept": 1, "dropped_by_reason": {}},
        "ratings": {"n": 0, "kept": 0, "dropped_by_reason": {}},
    },
    "train_user": {"n_samples": 160, "n_windows": 212, "n_tokens": 29813, "n_target_tokens": 11204, "steps": 40},
    "user": {
        "perplexity": {
            "trained": build_figures_by_intent(24.1, 25.3, 2.2),
            "untrained": build_figures_by_intent(61.7, 66.2, 7.4),
        },
        "bits_per_character": {
            "trained": build_figures_by_intent(1.42, 1.46, 0.07),
            "untrained": build_figures_by_intent(1.85, 1.91, 0.09),
        },
        "bits_per_character_saved": build_figures_by_intent(0.43, 0.45, 0.04),
        "termination": {
            "trained": {
                "precision": build_estimate(0.41, 0.3, 0.5),
                "recall": build_estimate(0.55, 0.4, 0.7),
                "f1": build_estimate(0.47, 0.36, 0.57),
                "f1_drawn": build_estimate(0.21, 0.15, 0.28),
            },
            "prompted": dict.fromkeys(
                ["precision", "recall", "f1", "f1_drawn"], missing_estimate("it never ends").to_dict()
            ),
        },
        "first_turn_diversity": {
            "human": build_estimate(91.0, 88.2, 93.1),
            "trained": build_estimate(78.4, 70.1, 84.0),
            "prompted": build_estimate(44.2, 36.3, 52.8),
        },
        "role_adherence": {"trained": build_estimate(87.5, 52.9, 97.8), "prompted": build_estimate(62.5, 30.6, 86.3)},
        "n_conversations": 72,
        "n_users": 58,
        "warnings": ["12 user messages beyond the first 160 tokens not scored"],
    },
    "assistants": {
        "untrained": {
            key: value for key, value in build_assistant_figures(0, 0.1).items() if key != "versus_untrained"
        },
        "drift": build_assistant_figures(0.02, 0.09),
        "follow_up": build_assistant_figures(0.21, 0.12),
    },
    "train_assistant/drift": {"gate": {"accuracy": 1.0, "steps": 5, "passed": True}, "accuracy": 0.83},
    "train_reward/drift": {
        "n_train": 2,
        "n_validation": 4,
        "train_accuracy": measure_accuracy(np.array([0.5, 2.0])),
        "validation_accuracy": measure_accuracy(np.array([0.5, 2.0, -1.0, 0.25])),
    },
    "train_reward/follow_up": {
        "n_train": 1,
        "n_validation": 0,
        "train_accuracy": measure_accuracy(np.array([1.0])),
        "validation_accuracy": measure_accuracy(np.array([])),
    },
    **{f"simulate/{name}": summarize_simulation(rollouts) for name, rollouts in ROLLOUTS.items()},
}


def build_points_by_turn() -> list[dict[str, Any]]:
    points = []
    for model, start in (("trained", 1.6), ("untrained", 2.1)):
        for intent in ("with_intent", "without_intent"):
            for turn in range(1, 9):
                bits = start - 0.3 * (1 - 1 / turn)
                interval = {"bits_per_character": bits, "low": bits - 0.08, "high": bits + 0.08}
                points.append({"model": model, "intent": intent, "turn": turn, **interval, "n": 60 - turn})
    return points


def build_example_inputs() -> Inputs:
    """Return the inputs of the whole run."""
    written = {"conversation_id": "c1", "reply_index": 1, "model": "tiny", "prompt_version": "1"}
    steps = range(1, 41)
    user_curve = [
        {"step": s, "loss": 3.1 - s / 40 + (s % 5) / 12, "learning_rate": 1e-4, "tokens": 700 * s} for s in steps
    ]
    drift_curve = [{"step": s, "loss": 0.69 - s / 120 + (s % 3) / 30, "accuracy": 0.5} for s in steps]
    follow_up_curve = [{"step": s, "loss": 0.69 - s / 90 + (s % 3) / 30, "accuracy": 0.5} for s in steps]
    return Inputs(
        arms=ARMS,
        examples=4,
        ingest_quarantine=build_table(
            schemas.QUARANTINE,
            [
                {"source": "chitchat", "record": f"r{i}", "reason": "one person talking to nobody", "excerpt": "hello?"}
                for i in range(2)
            ],
        ),
        clean_quarantine=build_table(
            schemas.QUARANTINE,
            [
                {
                    "source": "chitchat",
                    "record": "r3",
                    "reason": "same messages as another conversation: r1",
                    "excerpt": "hi",
                },
                {
                    "source": "chitchat",
                    "record": "r4",
                    "reason": "same messages as another conversation: r2",
                    "excerpt": "ho",
                },
            ],
        ),
        messages=build_table(schemas.MESSAGES, MESSAGES),
        splits=build_table(
            schemas.SPLITS,
            [
                {"conversation_id": "c1", "user_key": "ann", "split": "train"},
                {"conversation_id": "c2", "user_key": "ben", "split": "validation"},
                {"conversation_id": "c3", "user_key": "cat", "split": "test"},
            ],
        ),
        feedback=build_table(schemas.FEEDBACK, FEEDBACK),
        intents=build_table(
            schemas.INTENTS,
            [
                {"conversation_id": "c1", "intent": "You want to find a film.", "model": "tiny", "leaks": False},
                {"conversation_id": "c2", "intent": "You want to talk.", "model": "fallback", "leaks": True},
            ],
        ),
        critiques=build_table(
            schemas.CRITIQUES,
            [
                {**written, "flaw": "The problem with the reply is that it talks about food.", "kept": True},
                {**written, "conversation_id": "c2", "flaw": "It is.", "kept": False, "reason": "too short"},
            ],
        ),
        rationales=build_table(
            schemas.RATIONALES,
            [{**written, "rationale": "A better reply would be preferred because it stays on films.", "kept": True}],
        ),
        pairs={
            "drift": build_table(
                schemas.PAIRS,
                [
                    build_pair("drift", "c1", evidence="No, I asked about films, not cooking."),
                    build_pair("drift", "c2", keep=False),
                ],
            ),
            "follow_up": build_table(schemas.PAIRS, [build_pair("follow_up", "c3", margin=1.234)]),
        },
        rollouts=ROLLOUTS,
        metrics=METRICS,
        user_curve=build_table(USER_CURVE, user_curve),
        assistant_curves={
            "drift": build_table(ASSISTANT_CURVE, drift_curve),
            "follow_up": build_table(ASSISTANT_CURVE, follow_up_curve),
        },
        by_turn=build_table(BY_TURN, build_points_by_turn()),
    )


@pytest.fixture
def run() -> Inputs:
    return build_example_inputs()


@pytest.fixture
def empty_run() -> Inputs:
    """Return a run with two arms, no message and no metrics."""
    return Inputs(
        arms=ARMS,
        examples=4,
        ingest_quarantine=build_table(schemas.QUARANTINE),
        clean_quarantine=build_table(schemas.QUARANTINE),
        messages=build_table(schemas.MESSAGES),
        splits=build_table(schemas.SPLITS),
        feedback=build_table(schemas.FEEDBACK),
        intents=build_table(schemas.INTENTS),
        critiques=build_table(schemas.CRITIQUES),
        rationales=build_table(schemas.RATIONALES),
        pairs={arm: build_table(schemas.PAIRS) for arm in ARMS},
        rollouts={name: build_table(schemas.ROLLOUTS) for name in ["untrained", *ARMS]},
        metrics={},
        user_curve=build_table(USER_CURVE),
        assistant_curves={arm: build_table(ASSISTANT_CURVE) for arm in ARMS},
        by_turn=build_table(BY_TURN),
    )
