"""Stage: evaluate the user model and every assistant on held-out people."""

from pathlib import Path

from stages._command import command
from stages._models import open_checkpoint_generator
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_csv, write_frame, write_json
from turnabout.core.stage_output import print_warning
from turnabout.follow_ups import load_phrases
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.assistant_answers import AnswerScorers
from turnabout.metrics.assistant_comparison import UNTRAINED, compare_assistants
from turnabout.metrics.generated_turns import EvaluatedModels, sample_splits
from turnabout.metrics.rollout_summary import summarize_rollouts
from turnabout.metrics.user_model import check_context_lengths, evaluate_user_models
from turnabout.params import load_params
from turnabout.stats.estimate import Bootstrap
from turnabout.training.reward_model import load_head


def main(
    *,
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
    """Load models and tables, evaluate, and write the figures with intervals."""
    loaded = load_params(params)
    settings, seed, dtype = loaded.evaluate, loaded.seed, loaded.backbone.dtype
    splits = sample_splits(read_frame(samples, schemas.USER_SAMPLES), settings.conversations, seed)
    untrained = open_checkpoint_generator(backbone, dtype, "assistant", settings.batch_size)
    trained = open_checkpoint_generator(user, dtype, "user", settings.batch_size)
    for generator in (untrained, trained):
        check_context_lengths(generator.checkpoint, settings)
    models = EvaluatedModels(
        user_models={"trained": trained, "prompted": untrained},
        detector_assistant=untrained,
        untrained=LocalGenerator(untrained.checkpoint, "user", settings.batch_size, untrained.store),
    )
    scorers = AnswerScorers(
        user=trained.checkpoint,
        backbone=untrained.checkpoint,
        heads={arm: load_head(rewards / arm) for arm in loaded.arms},
        phrases=load_phrases(settings.phrases_per_dimension),
    )
    pairs_by_arm = {arm: read_frame(pairs / f"{arm}.parquet", schemas.PAIRS) for arm in loaded.arms}
    rollouts_by_assistant = {
        name: read_frame(rollouts / f"{name}.parquet", schemas.ROLLOUTS) for name in (UNTRAINED, *loaded.arms)
    }

    def open_assistant(name: str) -> LocalGenerator:
        """Open the untrained assistant or that of an arm."""
        if name == UNTRAINED:
            return untrained
        return open_checkpoint_generator(assistants / name, dtype, "assistant", settings.batch_size)

    user_result = evaluate_user_models(models, splits, settings, seed)
    assistant_result = compare_assistants(
        open_assistant,
        scorers,
        pairs=pairs_by_arm,
        samples=sample_conversations(splits.test, {"test": settings.contexts}, seed),
        settings=settings,
        seed=seed,
    )
    bootstrap = Bootstrap(settings.resamples, seed)
    simulated = {name: summarize_rollouts(table, bootstrap) for name, table in rollouts_by_assistant.items()}

    for warning in user_result.metrics["warnings"]:
        print_warning(warning)
    write_json(user_result.metrics, user_metrics)
    write_csv(user_result.by_turn, by_turn)
    write_frame(assistant_result.answers, answers, schemas.ANSWERS)
    write_json({**assistant_result.metrics, "simulated": simulated}, assistant_metrics)


if __name__ == "__main__":
    command(main)
