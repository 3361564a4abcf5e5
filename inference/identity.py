"""Who a cell is: its name, the region that we route to, and the jurisdiction that it is held to be in."""

import re
from dataclasses import dataclass
from typing import Final, NewType

from inference import headers

Region = NewType("Region", str)
Jurisdiction = NewType("Jurisdiction", str)

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def parse_name(text: str) -> str:
    """Return `text` if it can name a cell, region or model in headers, paths and metrics; else ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a name: use 1 to 64 letters, digits, '.', '_' or '-', with a letter or digit at both ends"
        )
    return text


def parse_region(text: str) -> Region:
    """Return the region named by `text`, for example eu-central-1; else ValueError."""
    return Region(parse_name(text))


def parse_jurisdiction(text: str) -> Jurisdiction:
    """Return the jurisdiction of an ISO 3166-1 alpha-2 code in capitals, for example DE; else ValueError."""
    if not _COUNTRY.fullmatch(text):
        raise ValueError(f"{text!r} is not an ISO 3166-1 alpha-2 code: use two capital letters, for example DE")
    return Jurisdiction(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellIdentity:
    """What the operator declared this cell to be. A declaration, not a proof of geography."""

    cell: str
    region: Region
    jurisdiction: Jurisdiction

    def as_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that every answer of this cell carries."""
        return [
            (headers.CELL, self.cell.encode()),
            (headers.REGION, self.region.encode()),
            (headers.JURISDICTION, self.jurisdiction.encode()),
        ]
