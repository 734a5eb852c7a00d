"""Tables of what is run, and of what is neither run nor checked and why.

Blocks are named by their document and the beginning of their first line.
"""

#: Blocks that `test_snippets.py` executes.
PYTHON_BLOCKS = {
    ("CONTRIBUTING.md", '"""Miner `shouting`: follow-ups in capital letters."""'),
    ("docs/serving.md", "import openai"),
}

#: Blocks that `test_snippets.py` gives to the stages or commands that read them.
JSON_BLOCKS = {
    ("README.md", '{"conversation_id": "c1", "user_id": "ann", "model": "bot-3"'),
    ("docs/agreement.md", '{"id": "1", "prompt": [{"role": "user", "content": "When do '),
    ("docs/agreement.md", '{"id": "1", "score_a": 0.61, "score_b": 0.39, "prefer": "a"}'),
}

#: Blocks of output that `test_commands.py` compares with what is printed.
RUN_BLOCKS = {
    ("README.md", "1. feedback mined: 712 sat and 142 dsat signals in 34,954 ex"),
    ("docs/generation.md", "stage                why        calls ≤  tokens in ≈  tokens"),
}

#: Blocks that are neither run nor checked, with the reason.
LISTED_BLOCKS = {
    ("README.md", "README.md          this page"): "a tree; tests/test_pipeline.py compares it with the repository",
    ("docs/design.md", "ingest → clean → split ─┬→ intend → flip → train_user ──────"): "a picture",
    (
        "docs/generation.md",
        "BudgetExceeded: the budget of 'small-and-cheap' does not all",
    ): "an error that tests/turnabout/generation/test_budget.py provokes",
}

#: The test of `test_commands.py` that runs each subcommand of `turnabout`.
RUN_COMMANDS = {
    "run": "test_run_prints_the_numbers_of_the_readme",
    "plan": "test_plan_says_why_and_what_it_costs",
    "label": "test_label_page_is_written_and_a_filled_table_is_read",
    "fit-miner": "test_fit_miner_writes_weights_for_the_miner",
    "induce-rubric": "test_induce_rubric_writes_a_rubric_for_the_miner",
    "phrases": "test_phrases_writes_a_set_for_the_pair_rule",
    "score": "test_score_prefers_with_every_scorer",
    "serve-user": "test_serve_user_answers_until_it_is_stopped",
    "chat": "test_chat_takes_the_commands_of_the_documents",
    "eval-user": "test_eval_user_stands_beside_the_figures_of_the_run",
    "export-user": "test_export_user_writes_a_folder_with_a_card",
    "doctor": "test_doctor_has_nothing_to_say",
    "forget": "test_forget_counts_the_conversations_of_a_person",
}

#: Commands that are neither run nor checked, by their first words, with the reason.
LISTED_COMMANDS = {
    "git clone": "needs an address that this repository does not know",
    "pre-commit install": "a program of the reader's, which make install does not install",
    "prefect deploy": "starts servers; needs the ones that prefect.yaml names",
    "pip install": "downloads packages",
    "vllm serve": "needs a GPU",
    "turnabout ui": "serves until Ctrl-C; tests/turnabout/commands/test_ui.py starts the servers",
}


def find_reason(command: str) -> str | None:
    """Return why a command is listed, or None."""
    return next((reason for words, reason in LISTED_COMMANDS.items() if command.startswith(words)), None)
