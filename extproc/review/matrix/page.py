"""The matrix as a heat map: one page that needs nothing else, neither a network nor a script.

Every cell has a letter and, in words, its rule and citation; colour only repeats it. The colours are from the palette
of Okabe and Ito, which people with any colour vision can tell apart. The little script filters rows and no more.
"""

from collections.abc import Iterator
from html import escape
from typing import Final

from extproc.review.matrix.model import MARKS, Cell, Matrix, Row, Section
from extproc.review.words import format_moment, joined, name_of, refusal_in_words

_STYLE: Final = """
:root{color-scheme:light dark;--permitted:#009e73;--on-permitted:#000;--abroad:#56b4e9;--on-abroad:#000;
--transfer:#e69f00;--on-transfer:#000;
--regime:#f2f2f2;--on-regime:#444;--order:#cc79a7;--on-order:#000;--choice:#d6eaf8;--on-choice:#123;--line:#bbb}
@media (prefers-color-scheme:dark){:root{--regime:#2b2b2b;--on-regime:#bbb;
--choice:#12324a;--on-choice:#cde;--line:#555}}
body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem;max-width:max-content}
h1{font-size:1.3rem}h2{font-size:1rem;margin:2rem 0 .4rem}code{overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content auto;gap:.1rem 1rem}dd{margin:0}
.scroll{overflow-x:auto}table{border-collapse:collapse}th,td{border:1px solid var(--line);padding:.15rem .35rem}
thead th{vertical-align:bottom}thead th span{writing-mode:vertical-rl;transform:rotate(180deg)}
tbody th{text-align:left;font-weight:400;max-width:26rem}td{text-align:center;font-family:ui-monospace,monospace}
td.refused{text-align:left;font-family:inherit;font-style:italic}
.permitted{background:var(--permitted);color:var(--on-permitted);font-weight:700}
.abroad{background:var(--abroad);color:var(--on-abroad);font-weight:700}
.transfer{background:var(--transfer);color:var(--on-transfer);font-weight:700;text-decoration:underline}
.regime{background:var(--regime);color:var(--on-regime)}.order{background:var(--order);color:var(--on-order)}
.choice{background:var(--choice);color:var(--on-choice)}
.legend td{text-align:left;font-family:inherit}
.legend td:first-child{text-align:center;font-family:ui-monospace,monospace}
@media print{*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{margin:0;font-size:9px}
.filter{display:none}.scroll{overflow:visible}tr{break-inside:avoid}}
"""

_SCRIPT: Final = """
const box=document.getElementById("filter");box.parentElement.hidden=false;
box.addEventListener("input",()=>{const wanted=box.value.toLowerCase();
for(const row of document.querySelectorAll("tr[data-words]"))row.hidden=!row.dataset.words.includes(wanted)});
"""


def format_page(matrix: Matrix) -> Iterator[str]:
    """Write the page in parts."""
    title = f"{matrix.policy} version {matrix.version}: which regions may process what"
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
    yield f"<body>\n<main>\n<h1>{escape(title)}</h1>\n"
    yield "<dl>\n"
    for name, value in (
        ("Policy", matrix.policy),
        ("Version", str(matrix.version)),
        ("Profile", matrix.profile.value),
        ("On", format_moment(matrix.at_s)),
    ):
        yield f"<dt>{name}</dt><dd>{escape(value)}</dd>\n"
    yield f"<dt>Revision</dt><dd><code>{escape(matrix.revision)}</code></dd>\n</dl>\n"
    yield f"<p>{escape(matrix.notice)}</p>\n"
    yield '<p class="filter" hidden><label>Show places with <input id="filter" type="search"></label></p>\n'
    yield from _legend(matrix)
    for section in matrix.sections:
        yield from _section(matrix, section)
    yield f"</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"


def _legend(matrix: Matrix) -> Iterator[str]:
    used = {cell.mark for section in matrix.sections for row in section.rows for cell in row.cells}
    yield '<table class="legend"><caption>What the letters mean</caption>\n'
    yield '<thead><tr><th scope="col">Letter</th><th scope="col">Meaning</th></tr></thead>\n<tbody>\n'
    for mark in MARKS:
        if mark in used:
            yield f'<tr><td class="{mark.tone}">{escape(mark.letter)}</td><td>{escape(mark.meaning)}</td></tr>\n'
    yield "</tbody></table>\n"


def _section(matrix: Matrix, section: Section) -> Iterator[str]:
    tenants = f"{'Tenant' if len(section.tenants) == 1 else 'Tenants'} {joined(section.tenants)}"
    declared = "" if section.declared is None else f", declared {section.declared}"
    title = f"{tenants}: {' and '.join(section.data)} data{declared}, model {section.model}"
    yield f'<section>\n<h2>{escape(title)}</h2>\n<div class="scroll" tabindex="0"><table class="matrix">\n'
    yield f"<caption>Regions permitted, by place of the data subjects. {escape(title)}</caption>\n"
    yield '<thead><tr><th scope="col">Data subjects in</th>'
    for region in matrix.regions:
        place = escape(name_of(region.place), quote=True)
        yield f'<th scope="col" title="{place}"><span>{escape(region.id)}</span></th>'
    yield "</tr></thead>\n<tbody>\n"
    for row in section.rows:
        yield from _row(row, len(matrix.regions))
    yield "</tbody></table></div>\n</section>\n"


def _row(row: Row, regions: int) -> Iterator[str]:
    words = escape(row.words)
    codes = escape(" ".join(row.places), quote=True)
    refused = "" if row.refusal is None else f" <em>(refused: {escape(row.refusal)})</em>"
    if row.unverified:
        refused += f" <em>(not verified: {escape(', '.join(row.unverified))})</em>"
    found = escape(f"{row.words} {' '.join(row.places)}".lower(), quote=True)
    yield f'<tr data-words="{found}"><th scope="row" title="{codes}">{words}{refused if row.cells else ""}</th>'
    if row.cells:
        yield from map(_cell, row.cells)
    elif row.refusal is not None:
        why = escape(f"{row.refusal}: {refusal_in_words(row.refusal)}")
        yield f'<td class="refused" colspan="{regions}">refused, {why}</td>'
    yield "</tr>\n"


def _cell(cell: Cell) -> str:
    doubt = f"not verified: {', '.join(cell.unverified)}" if cell.unverified else ""
    parts = (cell.mark.meaning, cell.rule, cell.cite, doubt)
    title = escape("; ".join(part for part in parts if part), quote=True)
    letter = escape(cell.mark.letter)
    return f'<td class="{cell.mark.tone}" title="{title}">{letter}</td>'
