"""What was found, as people, scripts and code scanners read it."""

from extproc.mesh.check.report.json_report import json_report
from extproc.mesh.check.report.sarif import sarif_report
from extproc.mesh.check.report.text import text_report

__all__ = ["json_report", "sarif_report", "text_report"]
