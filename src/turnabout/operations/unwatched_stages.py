"""Stages with inputs that DVC cannot watch, such as a database.

They run every time the pipeline runs.
"""

from pathlib import Path

import yaml

from turnabout.sources import SOURCES


def list_unwatched_stages(root: Path) -> frozenset[str]:
    """Return `ingest` if a source of `params.yaml` is live, else no stage.

    Invalid entries are ignored here; `load_params` reports them.
    """
    settings = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    sources = (settings.get("ingest") or {}).get("sources") or []
    formats = {str(source.get("format")) for source in sources if isinstance(source, dict)}
    return frozenset({"ingest"} if any(SOURCES[name].is_live for name in formats & SOURCES.keys()) else ())
