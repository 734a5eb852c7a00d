"""Stages that read what DVC cannot watch, such as a database, and so run every time the pipeline does."""

from pathlib import Path

import yaml

from turnabout.sources import SOURCES


def live_stages(root: Path) -> frozenset[str]:
    """`ingest` where a source of `params.yaml` is live, else nothing. Bad entries are for `load_params` to refuse."""
    settings = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    sources = (settings.get("ingest") or {}).get("sources") or []
    formats = {str(source.get("format")) for source in sources if isinstance(source, dict)}
    return frozenset({"ingest"} if any(SOURCES[name].is_live for name in formats & SOURCES.keys()) else ())
