"""Numbers by which a state identifies a person, by the form and the check digits of that state.

A number that would be too common by chance counts only in the form in which people write it, or right after its own
name (as in `"bsn": 123456782`): that is said where it holds. Each form names where it is laid down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from extproc.detect import states
from extproc.detect.candidates import Candidates, compile_ascii, signs_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a number is written, and what its digits and letters, without anything between them, must fulfil."""

    pattern: str
    holds: Callable[[str], bool]
    in_groups: bool = False
    """It counts in its groups only, so more groups before or behind make it a part of something longer."""

    named: bool = False
    """It counts after its name only, and the number is the digits at the end."""


_NAMED: Final = r"[^0-9A-Za-z]{1,12}(?:[A-Za-z]{1,9}[^0-9A-Za-z]{1,3}){0,2}"
"""What may stand between the name of a number and the number: `is`, `no.`, a colon, a line feed."""

_FORMS: Final = (
    # United States. SSN: no check digit, so only with its dashes. SPEC: 20 CFR 422, SSA POMS RM 10201.
    _Form(pattern=r"[0-9]{3}-[0-9]{2}-[0-9]{4}", holds=states.is_us_ssn),
    # United Kingdom. National Insurance number: no check digit, but few letters. SPEC: HMRC NIM39110.
    _Form(pattern=r"[A-Z]{2}(?: ?[0-9]{2}){3} ?[A-D]|[a-z]{2}[0-9]{6}[a-d]", holds=states.is_uk_nino),
    # Canada. SIN: one check digit, and telephone numbers of other states are written in the same groups, so only with
    # dashes or after its name. SPEC: ESDC, Social Insurance Number Code of Practice.
    _Form(pattern=r"[1-79][0-9]{2}-[0-9]{3}-[0-9]{3}", holds=states.is_canadian_sin, in_groups=True),
    _Form(
        pattern=rf"(?i:\b(?:sin|social.insurance.number){_NAMED}[1-79][0-9]{{2}}[ -]?[0-9]{{3}}[ -]?[0-9]{{3}})",
        holds=states.is_canadian_sin,
        named=True,
    ),
    # France. NIR. SPEC: INSEE, décret 82-103.
    _Form(
        pattern=r"(?i:[1-478] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2})",
        holds=states.is_french_nir,
    ),
    # Spain. DNI and NIE. SPEC: Real Decreto 1553/2005, Orden INT/2058/2008.
    _Form(pattern=r"(?i:(?:[0-9]{8}|[XYZ]-?[0-9]{7})[ -]?[A-HJ-NP-TV-Z])", holds=states.is_spanish_dni),
    # Italy. Codice fiscale. SPEC: D.M. 23 dicembre 1976.
    _Form(
        pattern=r"(?i:[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])",
        holds=states.is_italian_cf,
    ),
    # Germany. Steuer-ID, together or as printed. SPEC: § 139b AO; BZSt, Prüfziffernberechnung.
    _Form(pattern=r"[1-9][0-9]{10}", holds=states.is_german_tax_id),
    _Form(pattern=r"[1-9][0-9](?: [0-9]{3}){3}", holds=states.is_german_tax_id, in_groups=True),
    # Poland. PESEL. SPEC: ustawa o ewidencji ludności, Dz.U. 2010 nr 217 poz. 1427, art. 15.
    _Form(pattern=r"[0-9]{11}", holds=states.is_polish_pesel),
    # Netherlands. BSN: one in eleven numbers passes, so only after its name. SPEC: Wabb; Logisch Ontwerp BSN.
    _Form(
        pattern=rf"(?i:(?:bsn|burgerservicenumm?er|burger.service.numm?er|sofi-?nummer){_NAMED}[0-9]{{9}})",
        holds=states.is_dutch_bsn,
        named=True,
    ),
    # Sweden. Personnummer with its sign, or with the century. SPEC: folkbokföringslagen § 18; SKV 704.
    _Form(pattern=r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}|(?:19|20)[0-9]{10}", holds=states.is_swedish_personnummer),
    # Finland. Henkilötunnus. SPEC: Digital and Population Data Services Agency, with the signs of 2023.
    _Form(pattern=r"(?i:[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y])", holds=states.is_finnish_hetu),
    # Belgium. Rijksregisternummer, with its points, or together. SPEC: Koninklijk besluit van 3 april 1984.
    _Form(
        pattern=r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}[.-][0-9]{2}|[0-9]{11}",
        holds=states.is_belgian_nrn,
    ),
    # Switzerland. AHV number. SPEC: AHVV Art. 133; EAN-13 with the prefix 756.
    _Form(pattern=r"756(?:[0-9]{10}|\.[0-9]{4}\.[0-9]{4}\.[0-9]{2})", holds=states.is_swiss_ahv),
    # Brazil. CPF. SPEC: Receita Federal, IN RFB 1548/2015.
    _Form(pattern=r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}|[0-9]{11}", holds=states.is_brazilian_cpf),
    # Mexico. CURP. SPEC: Diario Oficial, Instructivo Normativo para la asignación de la CURP, 2021.
    _Form(pattern=r"(?i:[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9])", holds=states.is_mexican_curp),
    # India. Aadhaar: one check digit, so only in its groups or after its name. SPEC: UIDAI, UID Numbering Scheme.
    _Form(pattern=r"[2-9][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}", holds=states.is_indian_aadhaar, in_groups=True),
    _Form(
        pattern=rf"(?i:(?:aadhaar|aadhar|uidai){_NAMED}[2-9][0-9]{{11}})",
        holds=states.is_indian_aadhaar,
        named=True,
    ),
    # China. Resident identity number. SPEC: GB 11643-1999.
    _Form(pattern=r"(?i:[1-9][0-9]{16}[0-9X])", holds=states.is_chinese_resident_id),
    # Singapore. NRIC and FIN. SPEC: ICA; the check letters are those of the published reconstructions.
    _Form(pattern=r"(?i:[STFG][0-9]{7}[A-Z])", holds=states.is_singapore_nric),
)

_CANDIDATES: Final = tuple((Candidates(form.pattern, named=form.named), form) for form in _FORMS)
_ANY: Final[Any] = compile_ascii("|".join(candidates.pattern for candidates, _ in _CANDIDATES))
"""One pass for all: most texts hold no candidate at all."""

_SEPARATORS: Final = frozenset(b" -")
_DIGITS: Final = b"0123456789"


def has_national_id(text: bytes) -> bool:
    """Tell whether the text holds a number of one of these states. Raises TooManyError."""
    return _ANY.search(text) is not None and any(
        _is_number(form, text, start, end) for candidates, form in _CANDIDATES for start, end in candidates.find(text)
    )


def _is_number(form: _Form, text: bytes, start: int, end: int) -> bool:
    if form.in_groups and _goes_on(text, start, end):
        return False
    match = text[start:end]
    if form.named:
        match = match[len(match.rstrip(_DIGITS + b" -")) :]
    return form.holds(signs_of(match))


def _goes_on(text: bytes, start: int, end: int) -> bool:
    """Tell whether more groups of digits stand before or behind."""
    before = start > 1 and text[start - 1] in _SEPARATORS and text[start - 2] in _DIGITS
    return before or (end + 1 < len(text) and text[end] in _SEPARATORS and text[end + 1] in _DIGITS)
