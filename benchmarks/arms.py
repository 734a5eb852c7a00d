"""Arms: every pair rule on the embedded default, in a scratch copy of the project with small limits (no peer).

The arms are those that docs/pair_rules.md shows, as far as they start from the backbone. What comes before `augment`
runs once (with `--as-run` what `make demo` made stands), then `augment`, then `build_pairs` for each arm. A table says
what each rule found, kept and dropped, and one example of each follows.
"""

import argparse
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from turnabout.pipeline.repro import load_stage_graph, select_stages

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "pair_rules.md"

#: Longest text shown of an example, in characters.
MAX_EXAMPLE_CHARS = 90


def parse_fragments(text: str) -> list[dict[str, Any]]:
    """The YAML fragments of a guide, in order."""
    return [yaml.safe_load(fragment) for fragment in re.findall(r"```yaml\n(.*?)```", text, re.S)]


def merge_params(params: dict[str, Any], parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The parameters with all augmenters and all other settings of the fragments, and with their arms alone."""
    writers = [writer for part in parts for writer in part.get("augment", {}).get("augmenters", [])]
    augmenters = {writer["writes"]: writer for writer in [*params["augment"]["augmenters"], *writers]}
    arms = {name: arm for part in parts for name, arm in part["arms"].items()}
    for part in parts:
        for section in part.keys() - {"arms"}:
            params = {**params, section: {**params[section], **part[section]}}
    return {**params, "augment": {**params["augment"], "augmenters": list(augmenters.values())}, "arms": arms}


def limit_params(params: dict[str, Any], replies: int, prompts: int) -> dict[str, Any]:
    """The parameters with so many criticised replies and sampled prompts per arm, and arms from the backbone alone."""
    arms = {name: arm for name, arm in params["arms"].items() if arm["policy"] == "backbone"}
    for arm in arms.values():
        limits = {"max_pairs": replies, "prompts": prompts}
        arm["pairs"] |= {knob: value for knob, value in limits.items() if knob in arm["pairs"]}
    return {**params, "augment": {**params["augment"], "max_replies": replies}, "arms": arms}


def create_project(folder: Path, params: dict[str, Any]) -> None:
    """A copy of the graph and its code under `place`, with these parameters and no logs but the embedded ones."""
    for part in ("stages", "src", "evaluation_sets"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for part in ("dvc.yaml", ".dvcignore", "forgotten.txt"):
        shutil.copy(ROOT / part, folder / part)
    for part in ("logs", "labels"):
        (folder / part).mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=folder, check=True)


def reuse_outputs(folder: Path) -> None:
    """What this project has made so far, in the copy: its tables copied, its models linked."""
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("pairs", "rollouts"))
    (folder / "models").symlink_to(ROOT / "models")


def run_stages(folder: Path, as_run: bool) -> dict[str, float]:
    """Processor seconds of every stage up to the pairs of all arms, each run by its own command."""
    graph = load_stage_graph(folder)
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}"}
    seconds = {}
    wanted = select_stages(graph, ["build_pairs"])
    for name in (name for name in wanted if not as_run or name.startswith(("augment", "build_pairs@"))):
        words = shlex.split(graph.nodes[name]["stage"].command)
        before = read_child_processor_seconds()
        subprocess.run([sys.executable, *words[1:]], cwd=folder, env=environment, check=True)
        seconds[name] = read_child_processor_seconds() - before
        print(f"{name}: {seconds[name]:.0f} s", file=sys.stderr)
    return seconds


def read_child_processor_seconds() -> float:
    """What finished child processes have computed so far: other work on the machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row(arm: str, pairs: pl.DataFrame, seconds: float) -> str:
    """One line of the table: what one arm's rule found, kept and dropped; lengths in characters, of what is kept."""
    kept = pairs.filter("keep").with_columns(pl.col("chosen", "rejected").str.len_chars())
    reasons = pairs.drop_nulls("reason").group_by("reason").len().sort("len", "reason", descending=[True, False])
    dropped = ", ".join(f"{reason} {n}" for reason, n in reasons.iter_rows()) or "none"
    longer = (kept["chosen"] > kept["rejected"]).mean()
    figures = [
        f"{value:.0f}" if value is not None else "" for value in (kept["chosen"].mean(), kept["rejected"].mean())
    ]
    told = [f"`{arm}`", pairs.height, kept.height, dropped, *figures, "" if longer is None else f"{longer:.0%}"]
    return f"| {' | '.join(map(str, told))} | {seconds:.0f} |"


def example(arm: str, pairs: pl.DataFrame) -> str:
    """The first kept pair of an arm, cut to a few lines."""
    for pair in pairs.filter("keep").head(1).iter_rows(named=True):
        asked = pair["prompt"][-1]["content"] if pair["prompt"] else ""
        sides = (f"  {side:10}{_cut(pair[side])}" for side in ("chosen", "rejected", "rationale") if pair[side])
        return "\n".join([f"{arm}: {_cut(asked)}", *sides])
    return f"{arm}: nothing kept"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_EXAMPLE_CHARS else line[: MAX_EXAMPLE_CHARS - 1] + "…"


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--replies", type=int, default=16, help="criticised replies per split that are worked on")
    cli.add_argument("--prompts", type=int, default=16, help="training prompts of rules that sample them")
    cli.add_argument(
        "--only", nargs="+", default=[], metavar="ARM", help="the fragments with these arms instead of all"
    )
    cli.add_argument(
        "--as-run", action="store_true", help="after `make demo`: do not run what comes before augment again"
    )
    options = cli.parse_args()
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())
    parts = [part for part in parse_fragments(GUIDE.read_text()) if not options.only or part["arms"].keys() & {*options.only}]
    params = limit_params(merge_params(shipped, parts), options.replies, options.prompts)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        create_project(place, params)
        if options.as_run:
            reuse_outputs(place)
        taken = run_stages(place, options.as_run)
        built = {arm: pl.read_parquet(place / "data" / "pairs" / f"{arm}.parquet") for arm in params["arms"]}
    print("| arm | candidates | kept | dropped | chosen | rejected | chosen is longer | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for arm, pairs in built.items():
        print(row(arm, pairs, taken[f"build_pairs@{arm}"]))
    for arm, pairs in built.items():
        print(f"\n{example(arm, pairs)}")


if __name__ == "__main__":
    main()
