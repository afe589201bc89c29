"""The report: runs and scores as one HTML page that needs nothing else, neither a network nor the folders that it was made from."""

from infsplign.evaluation.page.build import write_report
from infsplign.evaluation.page.reading import ReportError

__all__ = ["ReportError", "write_report"]
