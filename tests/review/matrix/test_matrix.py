"""The matrix in its four forms, each held against tier 1's own answers."""

import csv
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO

import pytest
from policy.random_policies import random_policy
from policy.strategies import as_yaml
from review.simulate_logs import demo

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.jurisdiction import Verdict
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis
from extproc.policy import CompiledPolicy, compile_policy, parse_policy
from extproc.policy.starter import compose
from extproc.review.domain import Cell, Kind, answer, places_of
from extproc.review.matrix import Matrix, MatrixError, Wanted, format_csv, format_page, format_text, matrix_of
from extproc.review.matrix.model import EXCLUSIONS, MARKS, TRANSFERS

AT_S = datetime(2026, 11, 25, tzinfo=UTC).timestamp()
EXPECTING = (("    class: special\n", "    class: special\n    expects: [FR, DE, CH]\n"),)
ACME = TenantId("acme-bank")
VOID = frozenset({"meta", "input", "link", "br", "img", "hr"})


def _starter() -> CompiledPolicy:
    return compile_policy(parse_policy(compose("hybrid", "finance")))


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def _check(compiled: CompiledPolicy, matrix: Matrix) -> int:
    """Hold every line of the CSV against tier 1, and give their number."""
    tables = compiled.tables
    lines = _rows("".join(format_csv(matrix)))
    for line in lines:
        tenant = tables.tenants[TenantId(line["tenant"])]
        kind = Kind(tenants=(tenant.id,), tenant=tenant)
        declared = DataClass(line["class"].split("+")[-1])
        cell = Cell(kind=kind, model=ModelId(line["model"]), data_class=declared, place=Jurisdiction(line["place"]))
        said = answer(compiled, cell, matrix.at_s)
        if isinstance(said, Refusal):
            assert (line["verdict"], line["refused"]) == ("undefined", said)
            continue
        assert isinstance(said, Verdict)
        region = said.regions[tables.index[RegionId(line["region"])]]
        assert (line["verdict"] != "excluded") == (region.exclusion is None)
        assert (line["refused"] == Refusal.NO_PERMITTED_REGION) == (not said.permitted)
        if region.exclusion is None:
            is_transfer = any(permit.basis.is_transfer for permit in region.permits)
            assert (line["verdict"] == "transfer") == is_transfer
            abroad = not line["place"].startswith(tables.regions[tables.index[region.region]].country)
            free = not region.permits or any(permit.basis is Basis.UNRESTRICTED for permit in region.permits)
            assert (line["verdict"] == "permitted_abroad") == (not is_transfer and abroad and free)
            assert all(permit.name in line["rule"] and permit.cite in line["citation"] for permit in region.permits)
        else:
            assert line["rule"].startswith(region.exclusion)
            assert region.excluded_by is None or line["rule"].endswith(region.excluded_by)
    return len(lines)


def test_every_line_is_what_tier_1_says() -> None:
    compiled = demo(*EXPECTING)
    lines = _check(compiled, matrix_of(compiled, AT_S))
    # Every tenant without `expects` has the places that any tenant expects.
    assert lines == 3 * 3 * 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_every_line_of_a_random_policy_is_what_tier_1_says(seed: int) -> None:
    compiled = compile_policy(parse_policy(as_yaml(random_policy(seed))))
    at_s = compiled.tables.epochs[-1].starts_s
    wanted = Wanted(classes=tuple(sorted(compiled.tables.classes))[:1], everywhere=True)
    lines = _check(compiled, matrix_of(compiled, at_s, wanted))
    tables = compiled.tables
    assert lines == len(tables.tenants) * len(tables.models) * len(places_of(compiled)) * len(tables.regions)


@pytest.mark.slow
def test_grouping_loses_no_place_and_joins_what_is_alike() -> None:
    compiled = demo()
    grouped = matrix_of(compiled, AT_S, Wanted(everywhere=True))
    single = matrix_of(compiled, AT_S, Wanted(everywhere=True, grouped=False))
    for matrix in (grouped, single):
        for section in matrix.sections:
            places = [place for row in section.rows for place in row.places]
            assert sorted(places) == sorted(places_of(compiled))
    assert sorted(format_csv(grouped)) == sorted(format_csv(single))
    for section in grouped.sections:
        assert len({(row.refusal, row.cells) for row in section.rows}) == len(section.rows)


def test_only_what_is_wanted() -> None:
    compiled = demo()
    (section,) = matrix_of(compiled, AT_S, Wanted(tenants=(ACME,), classes=(DataClass("special"),))).sections
    assert (section.tenants, section.data, section.declared) == (("acme-bank",), ("personal", "special"), "special")
    for wanted in (Wanted(tenants=(TenantId("x"),)), Wanted(models=(ModelId("x"),)), Wanted(classes=(DataClass("x"),))):
        with pytest.raises(MatrixError, match="Mend: name one of"):
            matrix_of(compiled, AT_S, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 100])
def test_text_is_aligned_and_fits(width: int) -> None:
    for compiled in (demo(), _starter()):
        matrix = matrix_of(compiled, AT_S)
        lines = list(format_text(matrix, width))
        assert max(map(len, lines)) <= width
        assert matrix.revision in lines
    text = "\n".join(format_text(matrix_of(demo(), AT_S)))
    assert "the EEA                                         P      P      .      A" in text
    assert "refused: ungoverned_jurisdiction" in text
    assert "  A  permitted, a transfer by adequacy" in text
    assert "  S  " not in text, "the legend has what is used"


def test_permitted_abroad_is_told_apart_from_internal() -> None:
    matrix = matrix_of(demo(), AT_S, Wanted(tenants=(ACME,)))
    (section,) = matrix.sections
    letters = {row.words: "".join(cell.mark.letter for cell in row.cells) for row in section.rows}
    assert letters["the United States"] == "UU.P"
    assert letters["the EEA"] == "PP.A"
    assert "  U  permitted, abroad, not restricted" in format_text(matrix)
    html = "".join(format_page(matrix))
    assert '<td class="abroad">U</td><td>permitted, abroad, not restricted</td>' in html
    assert ".abroad{background" in html
    assert '<td class="abroad" title="permitted, abroad, not restricted; us.eea (unrestricted)' in html
    verdicts = {(line["place"], line["region"]): line["verdict"] for line in _rows("".join(format_csv(matrix)))}
    assert [verdicts["US", region] for region in ("eu-fra", "me-dxb", "us-iad")] == [
        "permitted_abroad", "excluded", "permitted",
    ]  # fmt: skip
    assert verdicts["FR", "eu-ams"] == "permitted"


def test_rows_that_rest_on_what_is_not_verified_are_marked() -> None:
    doubted = ("  - id: uae\n", "  - id: uae\n    verified: false\n    note: nobody read it\n")
    matrix = matrix_of(demo(doubted), AT_S, Wanted(tenants=(ACME,)))
    text = "\n".join(format_text(matrix))
    assert "This is what the policy says, not legal advice; regimes marked 'not verified'" in text
    assert "the United Arab Emirates (not verified)" in text
    assert text.count("(not verified)") == 1
    html = "".join(format_page(matrix))
    assert "<p>This is what the policy says, not legal advice; regimes marked" in html
    assert "(here uae)" in html
    assert "<em>(not verified: uae)</em>" in html
    lines = _rows("".join(format_csv(matrix)))
    assert {line["place"] for line in lines if line["not_verified"]} == {"AE"}
    assert {line["not_verified"] for line in lines} == {"", "uae"}
    assert "(none here)" in matrix_of(demo(), AT_S, Wanted(tenants=(ACME,))).notice


def test_an_exclusion_is_the_policys_and_not_the_laws() -> None:
    html = "".join(format_page(matrix_of(demo(), AT_S, Wanted(tenants=(ACME,)))))
    assert "excluded: no permit of a regime" in html
    assert all("law" not in f"{mark.meaning} {mark.tone}" for mark in MARKS)


@pytest.mark.slow
def test_names_that_do_not_fit_are_numbered_and_those_alike_share_a_column() -> None:
    matrix = matrix_of(_starter(), AT_S)
    lines = list(format_text(matrix, 100))
    (first,) = [line.split() for line in lines if line.split()[:1] == ["1"] and not line.strip().startswith("1 2")]
    assert first[1].startswith("ae-")
    heads = [line.split() for line in lines if line.strip().startswith("1 2 3")]
    assert len(heads) == len(matrix.sections), "one table for each section, in one block"
    named = [name.strip(",") for line in lines for name in line.split() if name.strip(",") in _ids(matrix)]
    assert sorted(named) == sorted(_ids(matrix)), "each region is in the key, once"
    # Narrower than all the numbers need, it is cut into blocks, and every letter is still there.
    narrow = list(format_text(matrix, 50))
    assert max(len(line) for line in narrow if line != matrix.revision) <= 50
    assert len([line for line in narrow if line.strip().startswith("1 2 3")]) == len(matrix.sections)
    assert sum(line.strip().split()[-1:] == heads[0][-1:] for line in narrow) == len(matrix.sections)


def _ids(matrix: Matrix) -> list[str]:
    return [region.id for region in matrix.regions]


@pytest.mark.slow
def test_a_hundred_regions_that_are_alike_share_a_column() -> None:
    regions = "".join(f"  zz-{n:03}: {{country: DE, models: {{digits: {{}}}}}}\n" for n in range(100))
    compiled = demo(("  me-dxb: {", f"{regions}  me-dxb: {{"))
    lines = list(format_text(matrix_of(compiled, AT_S, Wanted(tenants=(ACME,))), 100))
    assert max(map(len, lines)) <= 100
    (row,) = [line for line in lines if line.startswith("the EEA")]
    assert sorted(row.removeprefix("the EEA").split()) == [".", "A", "P"]
    assert sum(line.count("zz-") for line in lines) == 100


class _Page(HTMLParser):
    """Reads a page strictly: every element that begins must end, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tables: list[list[list[tuple[str, dict[str, str | None], str]]]] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.references += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append((tag, found, ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and {"td", "th"} & set(self.open):
            tag, attrs, text = self.tables[-1][-1].pop()
            self.tables[-1][-1].append((tag, attrs, text + data))


def _read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    assert not page.open
    return page


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [True, False])
def test_the_page_has_every_cell_and_needs_nothing_else(*, grouped: bool) -> None:
    matrix = matrix_of(demo(), AT_S, Wanted(everywhere=True, grouped=grouped))
    html = "".join(format_page(matrix))
    page = _read(html)
    assert not page.references
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html
    for said in (matrix.policy, f"<dd>{matrix.version}</dd>", matrix.revision, "2026-11-25", "hybrid"):
        assert said in html
    legend, *tables = page.tables
    assert len(tables) == len(matrix.sections)
    letters = {text for row in legend[1:] for _, _, text in row[:1]}
    for table, section in zip(tables, matrix.sections, strict=True):
        assert [text for _, _, text in table[0]] == ["Data subjects in", *(region.id for region in matrix.regions)]
        assert all(attrs["scope"] == "col" for _, attrs, _ in table[0])
        assert len(table) == 1 + len(section.rows)
        for (head, *cells), row in zip(table[1:], section.rows, strict=True):
            assert (head[0], head[1]["scope"], head[1]["title"]) == ("th", "row", " ".join(row.places))
            assert head[2].startswith(row.words)
            if not row.cells:
                assert row.refusal in cells[0][2]  # type: ignore[operator]
                continue
            assert [text for _, _, text in cells] == [cell.mark.letter for cell in row.cells]
            assert letters.issuperset(text for _, _, text in cells)
            for (_, attrs, _), cell in zip(cells, row.cells, strict=True):
                assert attrs["class"] == cell.mark.tone
                assert cell.rule in str(attrs["title"])
                assert cell.cite in str(attrs["title"])


def test_names_from_the_policy_cannot_break_the_page_or_the_sheet() -> None:
    hostile = ("cite: Federal Decree-Law 45/2021", "cite: '=1+<script>alert(\"x\")</script>'")
    compiled = demo(hostile)
    matrix = matrix_of(compiled, AT_S)
    html = "".join(format_page(matrix))
    assert html.count("<script>") == 1
    _read(html)
    cites = {line["citation"] for line in _rows("".join(format_csv(matrix)))}
    assert '\'=1+<script>alert("x")</script>' in cites


def test_every_mark_is_a_letter_of_its_own() -> None:
    assert len({mark.letter for mark in MARKS}) == len(MARKS)
    assert all(len(mark.letter) == 1 for mark in MARKS)
    assert set(EXCLUSIONS) == {each for each in Exclusion if not each.is_of_fitness}
    assert set(TRANSFERS) == {basis for basis in Basis if basis.is_transfer}
