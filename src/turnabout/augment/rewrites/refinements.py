"""Refinements: the criticised reply, corrected by the user's objection.

ILF (Scheurer et al. 2023, arXiv 2303.16755) draws several refinements and takes the best. SPaR (Cheng et al. 2024,
arXiv 2412.11605) searches a tree of refinements that change no more than they must, until one is judged correct.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import AugmentContext, AugmentInputs
from turnabout.augment.rewrites.rewriter import Rewriter, build_missing_rewrite, is_better
from turnabout.augment.rewrites.rewriting import Rewrite, RewriteCase, RewriteRequest, build_case_record
from turnabout.augment.rewrites.tree_search import Order, SearchNode, TreeSearch, max_nodes
from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY
from turnabout.text.copying import collect_later_turns
from turnabout.text.sentence_vectors import encode_sentences

TASK = """\
The user was not satisfied with the reply: see their reaction to it and, if there is one, the critique. {instruction}
{start}Your reply takes the place of that reply, before the reaction. Do not mention that reply or the reaction, and do
not apologise."""

INSTRUCTIONS = {
    "ilf": "Write the reply that the assistant should have given instead.",
    "spar": "Rewrite that reply: change only what must change to satisfy the user, and keep all other words.",
}

START_FROM_ATTEMPT = (
    "The attempt was meant to correct it, but did not satisfy the user either. Start from the attempt.\n"
)


class Refinements(Rewriter):
    """The best refinement per criticised reply, kept if judged better.

    The model sees the user's reaction and, where `critiques` is named before, the kept critiques of the reply.
    """

    writes: Literal["refinements"] = "refinements"
    table_schema: ClassVar[pl.Schema] = schemas.REFINEMENTS
    prompt_version: ClassVar[str] = "refinement-2"
    method: Literal["ilf", "spar"] = "ilf"
    k: int = Field(default=5, ge=1)
    """ILF: refinements drawn of each reply."""
    choose: Literal["judge", "similarity"] = "judge"
    """ILF: which of the `k` is taken, by the highest score of the judge or by similarity to the feedback in meaning."""
    order: Order = "bfs"
    """SPaR: breadth first or depth first."""
    width: int = Field(default=3, ge=1)
    """SPaR: refinements drawn of each node of the tree."""
    depth: int = Field(default=3, ge=1)
    """SPaR: most refinements one after another."""

    def calls_per_reply(self) -> int:
        """Return the calls for all draws, the votes on them and on the reply."""
        n_drawn = max_nodes(*self._tree_shape())
        return n_drawn + (n_drawn + 1) * self.max_calls_per_text()

    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return one row per criticised reply, in order."""
        rows = _add_critiques(inputs).to_dicts()
        later = collect_later_turns(inputs.messages, inputs.criticised)
        cases = [_build_case(row, turns) for row, turns in zip(rows, later, strict=True)]
        scores_before = self.score_replies(context, cases)
        searches = self._run_searches(context, cases, scores_before)
        annotated = []
        for row, case, search, score_before in zip(rows, cases, searches, scores_before, strict=True):
            node = self._select_node(search, case)
            annotated.append(
                {
                    **{key: row[key] for key in (*REPLY_KEY, "critique")},
                    "method": self.method,
                    "refined": node.rewrite.text,
                    "depth": node.depth,
                    **self.build_rewrite_columns(
                        context, case, node.rewrite, accepted=node.correct, score_before=score_before
                    ),
                }
            )
        return pl.DataFrame(annotated, schema=schemas.REFINEMENTS)

    def _tree_shape(self) -> tuple[Order, int, int]:
        """Return order, width and depth of the tree; ILF's is `k` wide and one deep."""
        return ("bfs", self.k, 1) if self.method == "ilf" else (self.order, self.width, self.depth)

    def _run_searches(
        self, context: AugmentContext, cases: Sequence[RewriteCase], scores_before: Sequence[float | None]
    ) -> list[TreeSearch]:
        """Return the search of every case, finished where its reply has a score.

        All searches advance in parallel, one batch of drafts per step.
        """
        searches = [TreeSearch(case.reply, *self._tree_shape()) for case in cases]
        active = [i for i, score_before in enumerate(scores_before) if score_before is not None]
        seed = context.seed
        while parents := self._take_parents(searches, active):
            requests = []
            for i, parent in parents:
                question = self._build_question(cases[i], parent, context.max_prompt_tokens)
                requests.append(RewriteRequest(cases[i], question))
            children: dict[int, list[SearchNode]] = {}
            for (i, parent), rewrite in zip(parents, self.write_rewrites(context, requests, seed), strict=True):
                node = SearchNode(rewrite, parent.depth + 1, self._is_enough(rewrite, scores_before[i]))
                children.setdefault(i, []).append(node)
            for i, nodes in children.items():
                searches[i].add_children(nodes)
            seed += 1
        return searches

    def _take_parents(self, searches: Sequence[TreeSearch], active: Sequence[int]) -> list[tuple[int, SearchNode]]:
        """Return the nodes to refine now with the index of their search.

        Each node is listed `width` times.
        """
        parents = []
        for i in active:
            for node in searches[i].take_next():
                parents += [(i, node)] * searches[i].width
        return parents

    def _build_question(self, case: RewriteCase, node: SearchNode, max_tokens: int) -> str:
        """Return the request for a better reply.

        It starts from the criticised reply or, below the root, from an attempt.
        """
        texts = {"reply": case.reply}
        if node.depth > 0:
            texts["attempt"] = node.rewrite.text
        task = TASK.format(instruction=INSTRUCTIONS[self.method], start=START_FROM_ATTEMPT if node.depth > 0 else "")
        return f"{build_case_record(case, texts, max_tokens)}\n{task}"

    def _is_enough(self, rewrite: Rewrite, score_before: float | None) -> bool:
        """Return whether the search may end with this rewrite.

        For ILF it must be judged better than the reply. SPaR requires a majority of the votes as well.
        """
        has_majority = rewrite.vote is not None and rewrite.vote.correct
        return is_better(rewrite, score_before) and (self.method == "ilf" or has_majority)

    def _select_node(self, search: TreeSearch, case: RewriteCase) -> SearchNode:
        if not search.seen:
            return SearchNode(build_missing_rewrite(case), 0)
        if self.method == "ilf" and self.choose == "similarity":
            return _select_nearest(search.seen, " ".join(map(str, case.feedback.values())))
        return search.select_best()


def _add_critiques(inputs: AugmentInputs) -> pl.DataFrame:
    """Return the criticised replies with their kept critiques as one text.

    The column `critique` is null where no critique was kept.
    """
    critiques = inputs.tables.get("critiques", pl.DataFrame(schema=schemas.CRITIQUES))
    kept = critiques.filter("kept").group_by(REPLY_KEY, maintain_order=True).agg(critique=pl.col("flaw").str.join(" "))
    return inputs.criticised.join(kept, on=REPLY_KEY, how="left", maintain_order="left")


def _build_case(row: dict[str, Any], later: list[str]) -> RewriteCase:
    feedback = {"reaction": row["follow_up"], "critique": row["critique"]}
    return RewriteCase(
        prompt=row["prompt"],
        reply=row["reply"],
        feedback={name: text for name, text in feedback.items() if text},
        later=later,
    )


def _select_nearest(nodes: Sequence[SearchNode], feedback: str) -> SearchNode:
    """Return the node nearest to the feedback by the cosine of sentence vectors.

    Nodes with a fault are taken only where all have one.
    """
    candidates = [node for node in nodes if node.rewrite.fault is None] or list(nodes)
    vectors = encode_sentences([feedback, *(node.rewrite.text for node in candidates)])
    return candidates[int((vectors[1:] @ vectors[0]).argmax())]
