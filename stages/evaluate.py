"""Stage: the user model and every assistant on held-out people; figures with intervals out."""

from pathlib import Path

from stages._command import command
from stages._models import open_generator
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_csv, write_frame, write_json
from turnabout.follow_ups import load_phrases
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics import assistant_comparison, user_model
from turnabout.metrics.assistant_answers import Scorers
from turnabout.metrics.assistant_comparison import UNTRAINED
from turnabout.metrics.generated_turns import Cast, by_split
from turnabout.metrics.rollout_summary import simulated
from turnabout.models.context_length import check_context
from turnabout.params import load_params
from turnabout.training.reward_model import load_head


def main(
    samples: Path,
    backbone: Path,
    user: Path,
    assistants: Path,
    rewards: Path,
    pairs: Path,
    rollouts: Path,
    user_metrics: Path,
    assistant_metrics: Path,
    by_turn: Path,
    answers: Path,
    params: Path = Path("params.yaml"),
) -> None:
    loaded = load_params(params)
    settings, dtype = loaded.evaluate, loaded.backbone.dtype
    people = by_split(read_frame(samples, schemas.USER_SAMPLES), settings.conversations, loaded.seed)
    untrained = open_generator(backbone, dtype, "assistant", settings.batch_size)
    trained = open_generator(user, dtype, "user", settings.batch_size)
    asked = {"evaluate.max_length": settings.max_length, "evaluate.max_new_tokens": settings.max_new_tokens}
    for opened in (untrained, trained):
        check_context(opened.checkpoint, asked)
        check_context(opened.checkpoint, {"evaluate.ending_length": settings.ending_length})
    as_user = LocalGenerator(untrained.checkpoint, "user", settings.batch_size, untrained.store)
    cast = Cast({"trained": trained, "prompted": untrained}, untrained, as_user)
    users = user_model.evaluate(cast, people, settings, loaded.seed)

    def open_assistant(name: str) -> LocalGenerator:
        if name == UNTRAINED:
            return untrained
        return open_generator(assistants / name, dtype, "assistant", settings.batch_size)

    compared = assistant_comparison.compare(
        list(loaded.arms),
        open_assistant,
        Scorers(
            trained.checkpoint,
            untrained.checkpoint,
            {arm: load_head(rewards / arm) for arm in loaded.arms},
            load_phrases(settings.phrases_per_dimension),
        ),
        {arm: read_frame(pairs / f"{arm}.parquet", schemas.PAIRS) for arm in loaded.arms},
        sample_conversations(people.test, {"test": settings.contexts}, loaded.seed),
        settings,
        loaded.seed,
    )
    talks = {
        name: simulated(read_frame(rollouts / f"{name}.parquet", schemas.ROLLOUTS), settings.resamples, loaded.seed)
        for name in (UNTRAINED, *loaded.arms)
    }
    write_json(users.metrics, user_metrics)
    write_csv(users.by_turn, by_turn)
    write_frame(compared.answers, answers, schemas.ANSWERS)
    write_json({**compared.metrics, "simulated": talks}, assistant_metrics)


if __name__ == "__main__":
    command(main)
