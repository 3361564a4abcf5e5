"""The zones that the program ships, each with its source.

Owns the lists alone; what a zone does is the policy's. A list changes with the law, so a policy that uses one
carries its members in its revision.
"""

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


def _zone(*parts: tuple[str, str]) -> Zone:
    members = [ZoneMember(code=Jurisdiction(code), cite=cite) for codes, cite in parts for code in codes.split()]
    return Zone(members=tuple(sorted(members, key=lambda member: member.code)), builtin=True)


BUILTIN_ZONES: Final = {
    ZoneId("EEA"): _zone((_EU, _EU_CITE), (_EEA_EFTA, _EEA_EFTA_CITE)),
}
"""The zones that a policy may write as `NAME: builtin`."""
