"""The zones that the program ships, each with its source.

Owns the lists alone; what a zone does is the policy's. A list changes with the law, so a policy that uses one
carries its members in its revision.

The three adequacy lists are three lists: what the Commission decides binds neither the United Kingdom nor Switzerland.
The United States is in none of them, because each of the three covers only recipients that certified themselves: a
permit asks for that with `cert: dpf`, `uk_dpf` or `ch_dpf`. The European Patent Organisation, which the Commission
found adequate on 15 July 2025, is no place and so in no zone.
"""

from datetime import date
from typing import Final

from extproc.core.ids import Jurisdiction
from extproc.policy.document import Zone, ZoneId, ZoneMember

# SPEC: TEU Art. 52; TFEU Art. 349 and 355(1) with (4): the outermost regions that have codes of their own (Guadeloupe,
# French Guiana, Martinique, Réunion, Saint Martin, Mayotte) and the Åland Islands are inside the Union's law.
# Not inside: GL NC PF TF WF PM BL AW CW SX BQ FO GI IM JE GG MC SM VA AD.
_EU: Final = """
    AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE
    GP GF MQ RE YT MF AX
"""
_EU_CITE: Final = "TEU Art. 52; TFEU Art. 349 and 355"

# SPEC: Decision of the EEA Joint Committee 154/2018 takes Regulation (EU) 2016/679 into the EEA Agreement.
_EEA_EFTA: Final = "IS LI NO"
_EEA_EFTA_CITE: Final = "EEA Agreement; Joint Committee Decision 154/2018"

# SPEC: Reg. (EU) 2016/679 Art. 45. Decisions under Directive 95/46/EC stay in force by Art. 45(9).
_EU_ADEQUATE: Final = (
    ("AD", "Dec. 2010/625/EU", None, None),
    ("AR", "Dec. 2003/490/EC", None, None),
    # Only recipients under PIPEDA, that is commercial organisations.
    ("CA", "Dec. 2002/2/EC (commercial organisations)", None, None),
    ("CH", "Dec. 2000/518/EC", None, None),
    ("FO", "Dec. 2010/146/EU", None, None),
    ("GG", "Dec. 2003/821/EC", None, None),
    ("IL", "Dec. 2011/61/EU", None, None),
    ("IM", "Dec. 2004/411/EC", None, None),
    ("JE", "Dec. 2008/393/EC", None, None),
    ("NZ", "Dec. 2013/65/EU", None, None),
    ("UY", "Dec. 2012/484/EU", None, None),
    ("JP", "Dec. (EU) 2019/419", date(2019, 1, 23), None),
    ("KR", "Dec. (EU) 2022/254", date(2021, 12, 17), None),
    ("GB", "Dec. (EU) 2021/1772 as renewed on 19 December 2025", date(2021, 6, 28), date(2031, 12, 27)),
    # Not for exporters in Iceland, Liechtenstein and Norway: its incorporation into the EEA Agreement was a draft in
    # May 2026. A regime for those three takes it out with `not_in: BR`.
    ("BR", "Dec. (EU) 2026/179", date(2026, 1, 26), None),
)

# SPEC: DPA 2018 Sch. 21 para. 5: the EEA, Gibraltar, and what the Commission had found adequate when the transition
# ended. The test since 5 February 2026 is "not materially lower" (Data (Use and Access) Act 2025).
_UK_TRANSITIONAL: Final = "AD AR CA CH FO GG IL IM JE JP NZ UY"
_UK_CITE: Final = "DPA 2018 Sch. 21 para. 5"
_UK_ADEQUATE: Final = (
    *((code, _UK_CITE, None, None) for code in (*_EU.split(), *_EEA_EFTA.split(), "GI", *_UK_TRANSITIONAL.split())),
    ("KR", "SI 2022/1213", date(2022, 12, 19), None),
)

# SPEC: FADP Art. 16(1) with Data Protection Ordinance (SR 235.11) Annex 1. Japan, Korea and Brazil were not seen on it.
_CH_ADEQUATE: Final = f"{_EU} {_EEA_EFTA} GB AD AR CA FO GG GI IL IM JE MC NZ UY"
_CH_CITE: Final = "DPO (SR 235.11) Annex 1"

# SPEC: 28 CFR 202.601: China (with Hong Kong and Macau), Cuba, Iran, North Korea, Russia, Venezuela.
_US_CONCERN: Final = "CN HK MO CU IR KP RU VE"
_US_CONCERN_CITE: Final = "28 CFR 202.601"


def _zone(*parts: tuple[str, str]) -> Zone:
    members = [ZoneMember(code=Jurisdiction(code), cite=cite) for codes, cite in parts for code in codes.split()]
    return _sorted(members)


def _dated(*rows: tuple[str, str, date | None, date | None]) -> Zone:
    return _sorted(
        [
            ZoneMember(code=Jurisdiction(code), cite=cite, valid_from=valid_from, valid_until=valid_until)
            for code, cite, valid_from, valid_until in rows
        ],
    )


def _sorted(members: list[ZoneMember]) -> Zone:
    return Zone(members=tuple(sorted(members, key=lambda member: member.code)), builtin=True)


BUILTIN_ZONES: Final = {
    ZoneId("EEA"): _zone((_EU, _EU_CITE), (_EEA_EFTA, _EEA_EFTA_CITE)),
    ZoneId("EU"): _zone((_EU, _EU_CITE)),
    ZoneId("EU_ADEQUATE"): _dated(*_EU_ADEQUATE),
    ZoneId("UK_ADEQUATE"): _dated(*_UK_ADEQUATE),
    ZoneId("CH_ADEQUATE"): _zone((_CH_ADEQUATE, _CH_CITE)),
    ZoneId("US_CONCERN"): _zone((_US_CONCERN, _US_CONCERN_CITE)),
}
"""The zones that a policy may write as `NAME: builtin`."""
