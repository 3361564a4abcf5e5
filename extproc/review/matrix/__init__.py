"""Who may go where, as one table: places down, regions across, for tenants, classes and models.

`matrix_of` asks tier 1 and gives data; the writers make text, CSV and a page of it. Nothing here decides.
"""

from extproc.review.matrix.asking import MatrixError, Wanted, matrix_of
from extproc.review.matrix.model import Matrix, Region, Row, Section, Tone
from extproc.review.matrix.page import format_page
from extproc.review.matrix.rows import format_csv
from extproc.review.matrix.text import format_text

__all__ = [
    "Matrix",
    "MatrixError",
    "Region",
    "Row",
    "Section",
    "Tone",
    "Wanted",
    "format_csv",
    "format_page",
    "format_text",
    "matrix_of",
]
