"""Every pair rule on the embedded log, with small limits.

The rules run in a copy of the project. The arms are those of docs/pair_rules.md that start from the backbone. The
stages before `augment` run once; with `--as-run` the results of `make demo` are used instead. Then `augment` runs, then
`build_pairs` for each arm. A table shows the candidates of each rule, kept and dropped ones, and one example of each
follows. There is no peer.
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
    """Return the YAML fragments of a guide, in order."""
    return [yaml.safe_load(fragment) for fragment in re.findall(r"```yaml\n(.*?)```", text, re.S)]


def merge_params(params: dict[str, Any], parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the parameters with the fragments' settings and only their arms."""
    augmenters = {augmenter["writes"]: augmenter for augmenter in params["augment"]["augmenters"]}
    arms: dict[str, Any] = {}
    for part in parts:
        augmenters |= {augmenter["writes"]: augmenter for augmenter in part.get("augment", {}).get("augmenters", [])}
        arms |= part["arms"]
        for section in part.keys() - {"arms"}:
            params = {**params, section: {**params[section], **part[section]}}
    return {**params, "augment": {**params["augment"], "augmenters": list(augmenters.values())}, "arms": arms}


def limit_params(params: dict[str, Any], replies: int, prompts: int) -> dict[str, Any]:
    """Return the parameters with limits per arm and only backbone arms.

    `replies` limits the criticised replies, `prompts` the sampled prompts.
    """
    arms = {name: arm for name, arm in params["arms"].items() if arm["policy"] == "backbone"}
    for arm in arms.values():
        limits = {"max_pairs": replies, "prompts": prompts}
        arm["pairs"] |= {name: value for name, value in limits.items() if name in arm["pairs"]}
    return {**params, "augment": {**params["augment"], "max_replies": replies}, "arms": arms}


def create_project(folder: Path, params: dict[str, Any]) -> None:
    """Copy graph and code to `folder`, with these parameters.

    The copy has no logs but the embedded one.
    """
    for part in ("stages", "src", "evaluation_sets", "follow_ups"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for part in ("dvc.yaml", ".dvcignore", "forgotten.txt"):
        shutil.copy(ROOT / part, folder / part)
    for part in ("logs", "labels"):
        (folder / part).mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=folder, check=True)


def reuse_outputs(folder: Path) -> None:
    """Copy this project's tables into the copy and link its models."""
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("pairs", "rollouts"))
    (folder / "models").symlink_to(ROOT / "models")


def run_stages(folder: Path, as_run: bool) -> dict[str, float]:
    """Run every stage up to the pairs; return processor seconds by stage.

    Each stage runs by its own command.
    """
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
    """Return processor seconds of finished child processes.

    Other work on the machine does not count.
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def format_row(arm: str, pairs: pl.DataFrame, seconds: float) -> str:
    """Return an arm's line of the table.

    It has candidates, kept pairs, drop reasons, and the lengths of kept pairs in characters.
    """
    kept = pairs.filter("keep").with_columns(pl.col("chosen", "rejected").str.len_chars())
    reasons = pairs.drop_nulls("reason").group_by("reason").len().sort("len", "reason", descending=[True, False])
    dropped = ", ".join(f"{reason} {n}" for reason, n in reasons.iter_rows()) or "none"
    longer = kept.select((pl.col("chosen") > pl.col("rejected")).mean()).item()
    means = kept.select(pl.col("chosen", "rejected").mean()).row(0)
    figures = ["" if mean is None else f"{mean:.0f}" for mean in means]
    cells = [f"`{arm}`", pairs.height, kept.height, dropped, *figures, "" if longer is None else f"{longer:.0%}"]
    return f"| {' | '.join(map(str, cells))} | {seconds:.0f} |"


def format_example(arm: str, pairs: pl.DataFrame) -> str:
    """Return the first kept pair of an arm, with shortened texts."""
    for pair in pairs.filter("keep").head(1).iter_rows(named=True):
        asked = pair["prompt"][-1]["content"] if pair["prompt"] else ""
        sides = (f"  {side:10}{_shorten(pair[side])}" for side in ("chosen", "rejected", "rationale") if pair[side])
        return "\n".join([f"{arm}: {_shorten(asked)}", *sides])
    return f"{arm}: nothing kept"


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_EXAMPLE_CHARS else line[: MAX_EXAMPLE_CHARS - 1] + "…"


def main() -> None:
    """Build the pairs of all arms and print the table and the examples."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--replies", type=int, default=16, help="criticised replies per split that are worked on")
    cli.add_argument("--prompts", type=int, default=16, help="training prompts of rules that sample them")
    cli.add_argument(
        "--only", nargs="+", default=[], metavar="ARM", help="the fragments with these arms instead of all"
    )
    cli.add_argument(
        "--as-run", action="store_true", help="after `make demo`: do not run the stages before augment again"
    )
    options = cli.parse_args()
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())
    parts = [
        part for part in parse_fragments(GUIDE.read_text()) if not options.only or part["arms"].keys() & {*options.only}
    ]
    params = limit_params(merge_params(shipped, parts), options.replies, options.prompts)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        create_project(copy, params)
        if options.as_run:
            reuse_outputs(copy)
        seconds = run_stages(copy, options.as_run)
        built = {arm: pl.read_parquet(copy / "data" / "pairs" / f"{arm}.parquet") for arm in params["arms"]}
    print("| arm | candidates | kept | dropped | chosen | rejected | chosen is longer | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for arm, pairs in built.items():
        print(format_row(arm, pairs, seconds[f"build_pairs@{arm}"]))
    for arm, pairs in built.items():
        print(f"\n{format_example(arm, pairs)}")


if __name__ == "__main__":
    main()
