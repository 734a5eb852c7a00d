"""Show which stages would run and why, with expected costs.

The costs are model calls, tokens, money and seconds.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from turnabout.commands.run import TARGETS_HELP

if TYPE_CHECKING:
    import networkx as nx

    from turnabout.operations.cost_estimate import CostEstimate
    from turnabout.params import Params
    from turnabout.pipeline.last_run import StageRun


#: Minimum width of the table, so that stage names stay whole if the output is no terminal, and the additional width for
#: money and budgets; both in characters.
MIN_WIDTH, MONEY_WIDTH = 120, 50


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the targets."""
    options.epilog = "example: turnabout plan train_assistant"
    options.add_argument("targets", nargs="*", metavar="TARGET", help=TARGETS_HELP)


def execute(targets: Sequence[str]) -> int:
    """Print the plan; return status 0."""
    from turnabout.params import load_params
    from turnabout.pipeline.last_run import read_last_run
    from turnabout.pipeline.project import find_root
    from turnabout.pipeline.repro import find_stale_reasons, load_stage_graph, repair_lock, select_stages

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


def explain_stages(
    graph: "nx.DiGraph", names: Sequence[str], stale: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return why each stage would run, by stage in order.

    The reasons are the stage's own, else the planned stages directly before it. A stage that only follows others may be
    up to date after all, if those write the same bytes again.
    """
    reasons: dict[str, list[str]] = {}
    for name in names:
        before = [other for other in graph.predecessors(name) if other in reasons]
        if own_reasons := list(stale.get(name, [])) or [f"after {other}" for other in before]:
            reasons[name] = own_reasons
    return reasons


def _print_plan(
    reasons: Mapping[str, Sequence[str]], params: "Params", last: Mapping[str, "StageRun"], n_current: int
) -> None:
    """Print the table of the stages that would run, with a line of totals.

    The columns of money and budgets are left out if no stage costs money.
    """
    from rich.console import Console
    from rich.table import Column, Table

    from turnabout.operations.cost_estimate import estimate_cost

    estimates = {name: estimate_cost(params, name) for name in reasons}
    is_paid = any(estimate.money != 0 or estimate.budget for estimate in estimates.values())
    table = Table(Column("stage", no_wrap=True), "why", box=None, pad_edge=False)
    money_columns = ["money ≈", "budget"] if is_paid else []
    for column in ("calls ≤", "tokens in ≈", "tokens out ≤", *money_columns, "seconds last time"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, estimate in estimates.items():
        seconds = f"{last[name].seconds:.0f}" if name in last else "unknown"
        costs = [_format_money(estimate.money), _format_budget(estimate)] if is_paid else []
        table.add_row(name, _shorten_reasons(reasons[name]), *_format_usage(estimate), *costs, seconds)
    totals = [
        _format_total([estimate.calls for estimate in estimates.values()]),
        _format_total([estimate.input_tokens for estimate in estimates.values()]),
        _format_total([estimate.output_tokens for estimate in estimates.values()]),
    ]
    if is_paid:
        totals += [_format_total([estimate.money for estimate in estimates.values()], digits=2), ""]
    seconds = _format_total([last[name].seconds if name in last else None for name in reasons])
    table.add_row(f"{len(reasons)} to run, {n_current} current", "", *totals, seconds)
    console = Console()
    console.width = max(console.width, MIN_WIDTH + MONEY_WIDTH * is_paid)
    console.print(table)


def _shorten_reasons(reasons: Sequence[str], max_shown: int = 3) -> str:
    more = f" and {len(reasons) - max_shown} more" if len(reasons) > max_shown else ""
    return ", ".join(reasons[:max_shown]) + more


def _format_usage(estimate: "CostEstimate") -> list[str]:
    """Format calls, input tokens and output tokens."""
    return [_format_count(number) for number in (estimate.calls, estimate.input_tokens, estimate.output_tokens)]


def _format_count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}" if number else "–"


def _format_money(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}" if amount else "–"


def _format_budget(estimate: "CostEstimate") -> str:
    """Format the budget's limits, and say if the stage may exceed one."""
    if estimate.budget is None or not (limits := estimate.budget.model_dump(exclude_none=True)):
        return "–"
    tokens = None
    if estimate.input_tokens is not None and estimate.output_tokens is not None:
        tokens = estimate.input_tokens + estimate.output_tokens
    needed = {"calls": estimate.calls, "tokens": tokens, "money": estimate.money}
    may_stop = any(needed[name] is None or needed[name] > limit for name, limit in limits.items())
    text = ", ".join(f"{name} {limit:,}".removesuffix(".0") for name, limit in limits.items())
    return text + (": may stop early" if may_stop else "")


def _format_total(numbers: Sequence[float | None], digits: int = 0) -> str:
    """Format the sum of the known numbers, and how many are unknown."""
    known = [number for number in numbers if number is not None]
    n_unknown = len(numbers) - len(known)
    return f"{sum(known):,.{digits}f}" + (f" + {n_unknown} unknown" if n_unknown else "")
