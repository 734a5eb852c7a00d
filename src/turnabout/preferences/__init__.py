"""Pair rules by name, as `rule` in `params.yaml` names them."""

from turnabout.preferences.alternatives import Alternatives
from turnabout.preferences.base import Rule, RuleContext
from turnabout.preferences.drift import Drift
from turnabout.preferences.edits import Edits
from turnabout.preferences.follow_up import FollowUp
from turnabout.preferences.hindsight import Hindsight
from turnabout.preferences.joint import Joint
from turnabout.preferences.judge import Judge
from turnabout.preferences.ratings import Ratings
from turnabout.preferences.refined import Refined
from turnabout.preferences.repair import Repair
from turnabout.preferences.reward_augmented import RewardAugmented
from turnabout.preferences.unary import Unary
from turnabout.preferences.wildfeedback import WildFeedback

RULES: dict[str, type[Rule]] = {
    "alternatives": Alternatives,
    "drift": Drift,
    "edits": Edits,
    "follow_up": FollowUp,
    "hindsight": Hindsight,
    "joint": Joint,
    "judge": Judge,
    "ratings": Ratings,
    "refined": Refined,
    "repair": Repair,
    "reward_augmented": RewardAugmented,
    "unary": Unary,
    "wildfeedback": WildFeedback,
}

__all__ = ["RULES", "Rule", "RuleContext"]
