"""From a part of a policy to its place in the file."""

from pathlib import Path

import pytest

from extproc.review.lint import places_of_text, read_places
from extproc.strict_yaml import DocumentError

TEXT = """\
regimes:
  - id: eu-gdpr
    when:
      any: [{subject_in: [EEA, CA-QC]}]
    permits: [{id: eea, to: EEA}, {id: dpf, to: US}]
zones:
  NEAR: [DE, {country: BR, valid_until: 2027-01-01}, {subdivision: CA-QC}]
shards:
  - {subjects: DE}
  - {subjects: FR}
"""


@pytest.mark.parametrize(
    ("path", "word", "line", "column"),
    [
        ((), "", 1, 1),
        (("regimes",), "", 1, 1),
        (("regimes", "eu-gdpr"), "", 2, 5),
        (("regimes", "eu-gdpr", "when"), "", 3, 5),
        (("regimes", "eu-gdpr", "when"), "CA-QC", 4, 32),
        (("regimes", "eu-gdpr", "permits", "dpf"), "", 5, 35),
        (("regimes", "eu-gdpr", "permits", "dpf", "to"), "", 5, 45),
        (("regimes", "eu-gdpr", "permits", "dpf", "valid_until"), "", 5, 35),  # not written: where the permit is
        (("regimes", "nothing", "when"), "", 1, 1),
        (("zones", "NEAR", "DE"), "", 7, 10),
        (("zones", "NEAR", "BR", "valid_until"), "", 7, 28),
        (("zones", "NEAR", "CA-QC"), "", 7, 54),
        (("zones", "NEAR"), "not there", 7, 3),
        (("shards", 1), "", 10, 5),
        (("shards", 2), "", 8, 1),
        (("regimes", "eu-gdpr", "id", "deeper"), "", 2, 5),
    ],
)
def test_a_part_is_found(path: tuple[str | int, ...], word: str, line: int, column: int) -> None:
    place = places_of_text(TEXT, file="p.yaml")(*path, word=word)
    assert (place.file, place.line, place.column) == ("p.yaml", line, column)


def test_a_file_is_read_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT)
    assert str(read_places(path)("zones")) == f"{path}:6:1"


def test_what_is_no_document_has_no_places() -> None:
    with pytest.raises(DocumentError):
        places_of_text("a: [", file="p.yaml")
