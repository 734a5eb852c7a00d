"""Refinements: the criticised reply with the user's objection worked into it.

ILF (Scheurer et al. 2023, arXiv 2303.16755): several refinements, of which the best is taken. SPaR (Cheng et al. 2024,
arXiv 2412.11605): a tree of refinements that change no more than they must, until one is judged correct.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import Logs, Writing
from turnabout.augment.candidates import REPLY
from turnabout.augment.rewrites.rewriter import Rewriter, improves, unwritten
from turnabout.augment.rewrites.rewriting import Case, Rewrite, record
from turnabout.augment.rewrites.tree_search import Node, Order, TreeSearch, most_nodes
from turnabout.core import schemas
from turnabout.text.copying import later_turns
from turnabout.text.sentence_vectors import sentence_vectors

TASK = """\
The user was not content with the reply: see their reaction to it, and the critique where there is one. {how}
{again}Your reply stands where that reply stood, before the reaction: it speaks of neither, and does not apologise."""

HOW = {
    "ilf": "Write the reply that should have been given in its place.",
    "spar": "Write that reply again: change what has to be changed to content the user, and keep all other words.",
}

AGAIN = "The attempt was to put it right and did not content them either: start from the attempt.\n"


class Refinements(Rewriter):
    """One refinement per criticised reply: the best that was found, kept where it is judged better than the reply.

    Told are the user's reaction and, where `critiques` is named before, what was kept of that table about the reply.
    """

    writes: Literal["refinements"] = "refinements"
    prompt_version: ClassVar[str] = "refinement-1"
    method: Literal["ilf", "spar"] = "ilf"
    k: int = Field(default=5, ge=1)
    """ILF: refinements drawn of each reply."""
    choose: Literal["judge", "similarity"] = "judge"
    """ILF: which of the `k` is taken, the one most surely judged right or the nearest to the feedback in meaning."""
    order: Order = "bfs"
    """SPaR: breadth first or depth first."""
    width: int = Field(default=3, ge=1)
    """SPaR: refinements drawn of each node of the tree."""
    depth: int = Field(default=3, ge=1)
    """SPaR: most refinements one after another."""

    def calls_per_reply(self) -> int:
        """Every draw and its votes, and the votes on the reply itself."""
        n_drawn = most_nodes(*self._shape())
        return n_drawn + (n_drawn + 1) * self.calls_per_text()

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """One row per criticised reply, in their order."""
        rows = _with_critiques(logs).to_dicts()
        later = later_turns(logs.messages, logs.criticised)
        cases = [_case(row, turns) for row, turns in zip(rows, later, strict=True)]
        before = self.before(writing, cases)
        searches = self._searched(writing, cases, before)
        found = [self._chosen(search, case) for search, case in zip(searches, cases, strict=True)]
        written = [
            {
                **{key: row[key] for key in (*REPLY, "critique")},
                "method": self.method,
                "refined": node.rewrite.text,
                "depth": node.depth,
                **self.outcome(writing, case, node.rewrite, node.correct, floor),
            }
            for row, case, node, floor in zip(rows, cases, found, before, strict=True)
        ]
        return pl.DataFrame(written, schema=schemas.REFINEMENTS)

    def _shape(self) -> tuple[Order, int, int]:
        """Order, width and depth of the tree; ILF's is `k` wide and one deep."""
        return ("bfs", self.k, 1) if self.method == "ilf" else (self.order, self.width, self.depth)

    def _searched(self, writing: Writing, cases: Sequence[Case], before: Sequence[float | None]) -> list[TreeSearch]:
        """The search of every case, finished where it has a score before; all go on side by side, in whole batches."""
        searches = [TreeSearch(case.reply, *self._shape()) for case in cases]
        told = [i for i, floor in enumerate(before) if floor is not None]
        seed = writing.seed
        while taken := [(i, node) for i in told for node in searches[i].next()]:
            parents = [parent for parent in taken for _ in range(searches[0].width)]
            asked = [(cases[i], self._question(cases[i], node, writing.max_prompt_tokens)) for i, node in parents]
            grown: dict[int, list[Node]] = {}
            for (i, parent), rewrite in zip(parents, self.rewritten(writing, asked, seed), strict=True):
                grown.setdefault(i, []).append(Node(rewrite, parent.depth + 1, self._is_enough(rewrite, before[i])))
            for i, nodes in grown.items():
                searches[i].grow(nodes)
            seed += 1
        return searches

    def _question(self, case: Case, node: Node, max_tokens: int) -> str:
        """What the author is asked for: a better reply, starting from the criticised one or from an attempt."""
        texts = {"reply": case.reply} if node.depth == 0 else {"reply": case.reply, "attempt": node.rewrite.text}
        task = TASK.format(how=HOW[self.method], again=AGAIN if node.depth else "")
        return f"{record(case, texts, max_tokens)}\n{task}"

    def _is_enough(self, rewrite: Rewrite, before: float | None) -> bool:
        """To be judged better than the criticised reply is enough for ILF; SPaR wants a majority of votes as well."""
        majority = rewrite.value is not None and rewrite.value.correct
        return improves(rewrite, before) and (self.method == "ilf" or majority)

    def _chosen(self, search: TreeSearch, case: Case) -> Node:
        if not search.seen:
            return Node(unwritten(case), 0)
        if self.method == "ilf" and self.choose == "similarity":
            return _nearest(search.seen, " ".join(map(str, case.told.values())))
        return search.best()


def _with_critiques(logs: Logs) -> pl.DataFrame:
    """The criticised replies with `critique`: what was kept of the critiques of each, null where nothing was."""
    written = logs.tables.get("critiques", pl.DataFrame(schema=schemas.CRITIQUES))
    kept = written.filter("kept").group_by(REPLY, maintain_order=True).agg(critique=pl.col("flaw").str.join(" "))
    return logs.criticised.join(kept, on=REPLY, how="left", maintain_order="left")


def _case(row: dict[str, Any], later: list[str]) -> Case:
    told = {"reaction": row["follow_up"], "critique": row["critique"]}
    return Case(row["prompt"], row["reply"], {name: text for name, text in told.items() if text}, later)


def _nearest(nodes: Sequence[Node], feedback: str) -> Node:
    """The node nearest to the feedback by the cosine of sentence vectors; one with a fault only where all have one."""
    sound = [node for node in nodes if node.rewrite.fault is None] or list(nodes)
    vectors = sentence_vectors([feedback, *(node.rewrite.text for node in sound)])
    return sound[int((vectors[1:] @ vectors[0]).argmax())]
