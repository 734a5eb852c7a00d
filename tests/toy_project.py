"""A small DVC project in the form of the real one.

It has a table, two arms side by side, a simulation, an evaluation and a report.
"""

import subprocess
from pathlib import Path

import yaml

from tests.source_tree import ROOT

DVC_YAML = """
stages:
  ingest:
    desc: A table of five rows
    cmd: python work.py ingest
    deps: [work.py]
    params: [seed]
    outs: [data/messages]
    metrics: [metrics/ingest.json]
  train_assistant:
    foreach: ${arms}
    do:
      desc: One assistant
      cmd: python work.py train_assistant ${key}
      deps:
        - data/messages
      params:
        - arms.${key}.train
      outs:
        - models/assistants/${key}
      metrics:
        - metrics/train_assistant/${key}.json
      plots:
        - plots/train_assistant/${key}.csv:
            x: step
            y: loss
  simulate_untrained:
    desc: Two conversations
    cmd: python work.py simulate_untrained
    deps: [data/messages]
    outs: [data/rollouts/untrained.parquet]
  evaluate:
    desc: What the assistants are worth
    cmd: python work.py evaluate
    deps: [models/assistants, data/rollouts]
    metrics: [metrics/user.json, metrics/assistants.json]
  report:
    desc: The page
    cmd: python work.py report
    deps: [metrics]
    outs: [report/index.html]
"""

#: A second pipeline, which needs the first one's table.
ABLATIONS = """
vars: [../params.yaml]
stages:
  ablate:
    foreach: ${user_arms}
    do:
      desc: One arm of the user model
      wdir: ..
      cmd: python work.py ablate ${key}
      deps: [data/messages]
      params:
        - user_arms.${key}
      metrics:
        - ablations/metrics/${key}.json
"""

#: Learning rates that make an arm's training stage fail, or sleep until it is killed.
FAILING_RATE, SLEEPING_RATE = 9.0, 99.0

WORK = '''
"""Every stage of the toy project."""
import json, sys, time
from pathlib import Path
import yaml

def write(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)

params = yaml.safe_load(Path("params.yaml").read_text())
stage, arm = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
if stage == "ingest":
    import polars as pl
    Path("data/messages").mkdir(exist_ok=True, parents=True)
    rows = {"conversation_id": list("abcde"), "message_index": [params["seed"] % 100] * 5}
    pl.DataFrame(rows).write_parquet("data/messages/part-00.parquet")
    counts = {"n_messages": 5, "n_conversations": 5, "n_rejected": 15, "n_forgotten_conversations": 0}
    write("metrics/ingest.json", json.dumps(counts))
    print("warning: b.jsonl: 15 records were rejected", file=sys.stderr)
elif stage == "train_assistant":
    rate = params["arms"][arm]["train"]["learning_rate"]
    if rate == 99:
        print("asleep", flush=True)
        time.sleep(60)
    if rate == 9:
        for number in range(40):
            print("line", number)
        sys.exit("no such luck")
    write(f"models/assistants/{arm}/weights", str(rate))
    write(f"metrics/train_assistant/{arm}.json", json.dumps({"rate": rate, "gate": {"reached": True}}))
    write(f"plots/train_assistant/{arm}.csv", "step,loss\\n1,0.9\\n2,0.5\\n")
elif stage == "simulate_untrained":
    import polars as pl
    from tqdm import tqdm
    for _ in tqdm(range(3), disable=None, desc="turns"):
        pass
    turns = [("user", "hi"), ("assistant", "hello"), ("user", "bye"), ("assistant", "see you")]
    rows = [
        dict(conversation_id=name, task_id=name, turn=turn, role=role, text=text, intent="greet",
             ended_by="end_token" if turn == 3 else None, resamples=0, faults=[], simulator="user",
             policy="untrained", seed=1)
        for name in ("s1", "s2") for turn, (role, text) in enumerate(turns)
    ]
    types = {"turn": pl.Int32, "resamples": pl.Int32, "faults": pl.List(pl.String), "ended_by": pl.String}
    Path("data/rollouts").mkdir(exist_ok=True, parents=True)
    pl.DataFrame(rows, schema_overrides=types).write_parquet("data/rollouts/untrained.parquet")
elif stage == "evaluate":
    gain = {"value": 0.2, "low": -0.1, "high": 0.5}
    bits = {"value": 1.5, "low": 1.4, "high": 1.6}
    write("metrics/user.json", json.dumps({"bits_per_character": {"trained": {"with_intent": bits}}}))
    write("metrics/assistants.json", json.dumps({"drift": {"versus_untrained": {"follow_up_likelihood": gain}}}))
elif stage == "ablate":
    write(f"ablations/metrics/{arm}.json", json.dumps({"share": params["user_arms"][arm]["share"]}))
elif stage == "report":
    write("report/index.html", "<p>done</p>")
'''


def create_toy_project(root: Path) -> Path:
    """Create the toy project at `root` and return the folder.

    It is a git and DVC repository in which nothing has run.
    """
    files = {
        "dvc.yaml": DVC_YAML,
        "ablations/dvc.yaml": ABLATIONS,
        "params.yaml": (ROOT / "params.yaml").read_text(encoding="utf-8"),
        "work.py": WORK,
        ".gitignore": "/data/\n/models/\n/metrics/\n/plots/\n/report/\n/ablations/metrics/\n/.turnabout/\n/.dvc/\n",
        ".dvc/config": "[core]\n    analytics = false\n    check_update = false\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


def set_learning_rate(root: Path, arm: str, rate: float) -> None:
    """Change the learning rate of one arm in `params.yaml`."""
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    params["arms"][arm]["train"]["learning_rate"] = rate
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
