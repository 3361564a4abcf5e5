"""The country codes that exist, and the form of the codes inside a country.

Owns the set of officially assigned alpha-2 codes and the two questions asked of it. Knows nothing of law:
which countries share a regime is the policy's. Of ISO 3166-2 it knows the form alone, because subdivisions
change yearly and a stale list would refuse real ones.

SPEC: ISO 3166-1 alpha-2, the 249 officially assigned codes; ISO 3166-2 for the form of a subdivision's code.
Codes that are reserved or left to users are not countries here: EU, UK, XK, AP, A1, A2, T1, ZZ.
"""

import re
from typing import Final

_ASSIGNED: Final = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ
    BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ
    DE DJ DK DM DO DZ
    EC EE EG EH ER ES ET
    FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY
    HK HM HN HR HT HU
    ID IE IL IM IN IO IQ IR IS IT
    JE JM JO JP
    KE KG KH KI KM KN KP KR KW KY KZ
    LA LB LC LI LK LR LS LT LU LV LY
    MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ
    NA NC NE NF NG NI NL NO NP NR NU NZ
    OM
    PA PE PF PG PH PK PL PM PN PR PS PT PW PY
    QA
    RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ
    TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ
    UA UG UM US UY UZ
    VA VC VE VG VI VN VU
    WF WS
    YE YT
    ZA ZM ZW
"""

COUNTRIES: Final = frozenset(_ASSIGNED.split())
"""Every officially assigned ISO 3166-1 alpha-2 code, in upper case."""

# SPEC: ISO 3166-2 writes one to three letters or digits after the alpha-2 code and a hyphen. `[A-Z0-9]` and
# not `\w`, which would also take letters and digits of other scripts.
_SUBDIVISION: Final = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}")


def is_country(code: str) -> bool:
    """Tell whether `code` is an officially assigned alpha-2 code, such as `CA`; lower case is not."""
    return code in COUNTRIES


def is_jurisdiction(code: str) -> bool:
    """Tell whether `code` is a country, or a well-formed subdivision of one, such as `CA-QC`.

    Whether the subdivision itself exists is not checked.
    """
    if code in COUNTRIES:
        return True
    found = _SUBDIVISION.fullmatch(code)
    return found is not None and found[1] in COUNTRIES
