"""The project and its DVC graph: stages, processes and the last run."""
