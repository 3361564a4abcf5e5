"""Write the shipped schema anew: `python -m extproc.policy.schema`, after a change of the language or of its manual."""

from pathlib import Path

from extproc.policy.schema import SCHEMA_FILE, format_schema

Path(__file__).parents[1].joinpath(SCHEMA_FILE).write_text(format_schema(), encoding="utf-8")
