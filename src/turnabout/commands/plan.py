"""Show what would run and why, and the model calls, tokens, money and seconds to expect."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx

    from turnabout.operations.cost_estimate import CostEstimate
    from turnabout.params import Params
    from turnabout.pipeline.last_run import StageRun


#: Columns that keep stage names whole where output is not a terminal, and those that money and budgets take as well.
LEAST_WIDTH, MONEY_WIDTH = 120, 50


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Targets."""
    told = "stages (build_pairs@drift), groups (build_pairs), or the folder of another pipeline (ablations)"
    options.add_argument("targets", nargs="*", metavar="TARGET", help=told)


def execute(targets: Sequence[str]) -> int:
    """Print the plan; status 0."""
    from turnabout.params import load_params
    from turnabout.pipeline.last_run import read_last_run
    from turnabout.pipeline.project import find_root
    from turnabout.pipeline.repro import repair_lock, load_stage_graph, find_stale_reasons, select_stages

    root = find_root(Path.cwd())
    params = load_params(root / "params.yaml")
    repair_lock(root)
    graph = load_stage_graph(root)
    names = select_stages(graph, targets)
    reasons = explain_stages(graph, names, find_stale_reasons(root, names))
    if not reasons:
        print(f"Everything is up to date ({len(names)} stages), nothing would run.")
        return 0
    _print_plan(reasons, params, read_last_run(root), len(names) - len(reasons))
    return 0


def explain_stages(graph: "nx.DiGraph", names: Sequence[str], stale: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Why each stage would run, in order: its own reasons, else the planned stages right before it.

    A stage that only follows others may still turn out current, where those write the same bytes again.
    """
    reasons: dict[str, list[str]] = {}
    for name in names:
        before = [other for other in graph.predecessors(name) if other in reasons]
        if why := list(stale.get(name, [])) or [f"after {other}" for other in before]:
            reasons[name] = why
    return reasons


def _print_plan(
    reasons: Mapping[str, Sequence[str]], params: "Params", last: Mapping[str, "StageRun"], n_current: int
) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    from turnabout.operations.cost_estimate import estimate_cost

    efforts = {name: estimate_cost(params, name) for name in reasons}
    paid = any(work.money != 0 or work.budget for work in efforts.values())
    table = Table(Column("stage", no_wrap=True), "why", box=None, pad_edge=False)
    for column in ("calls ≤", "tokens in ≈", "tokens out ≤", *(["money ≈", "budget"] * paid), "seconds last time"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, why in reasons.items():
        seconds = f"{last[name].seconds:.0f}" if name in last else "unknown"
        work = efforts[name]
        costs = [_format_money(work.money), _format_budget(work)] if paid else []
        table.add_row(name, _shorten_reasons(why), *map(_format_count, work[:3]), *costs, seconds)
    calls, read, written, money, _ = zip(*efforts.values(), strict=True)
    costs = [_format_total(money, digits=2), ""] if paid else []
    seconds = _format_total([last[name].seconds if name in last else None for name in reasons])
    summary = f"{len(reasons)} to run, {n_current} current"
    table.add_row(summary, "", *map(_format_total, (calls, read, written)), *costs, seconds)
    console = Console()
    console.width = max(console.width, LEAST_WIDTH + MONEY_WIDTH * paid)
    console.print(table)


def _shorten_reasons(why: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(why) - shown} more" if len(why) > shown else ""
    return ", ".join(why[:shown]) + more


def _format_count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}" if number else "–"


def _format_money(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}" if amount else "–"


def _format_budget(work: "CostEstimate") -> str:
    """What the budget allows, and whether the stage could come to its end within it."""
    if work.budget is None or not (limits := work.budget.model_dump(exclude_none=True)):
        return "–"
    tokens = None if work.input_tokens is None or work.output_tokens is None else work.input_tokens + work.output_tokens
    bounds = {"calls": work.calls, "tokens": tokens, "money": work.money}
    short = [name for name, limit in limits.items() if (most := bounds[name]) is None or most > limit]
    told = ", ".join(f"{name} {limit:,}".removesuffix(".0") for name, limit in limits.items())
    return told + (": may stop early" if short else "")


def _format_total(numbers: Sequence[float | None], digits: int = 0) -> str:
    """The sum of what is known, and how many are not."""
    known = [number for number in numbers if number is not None]
    n_unknown = len(numbers) - len(known)
    return f"{sum(known):,.{digits}f}" + (f" + {n_unknown} unknown" if n_unknown else "")
