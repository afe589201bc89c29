"""The report: runs and scores as one self-contained HTML page, which needs neither a network nor the original folders."""

from infsplign.evaluation.page.build import write_report
from infsplign.evaluation.page.run import ReportError

__all__ = ["ReportError", "write_report"]
