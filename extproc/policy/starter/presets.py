"""Which starter policies there are: the profiles, the presets, and which of them go together.

Owns the choice alone. What a law says stands in `regimes/`, what a profile means is the compiler's.
"""

from dataclasses import dataclass
from typing import Final

LEGAL_FIRST: Final = "legal-first"
HYBRID: Final = "hybrid"
PERFORMANCE_FIRST: Final = "performance-first"

PROFILES: Final = {
    LEGAL_FIRST: "no transfer: each request stays where its own law keeps it",
    HYBRID: "transfers under the mechanisms that a tenant has declared, each recorded as one",
    PERFORMANCE_FIRST: "as hybrid, and public data goes wherever it is served fastest",
}
"""The profiles by name, each with the line that `situs policy init --list` shows."""

CLASSES: Final = ("public", "personal", "special", "health", "financial")
"""The data classes that every starter policy tells apart."""


class PresetError(Exception):
    """A profile or preset that is not there, or two that do not go together; the message has the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One area of law: its regions in `parts/regions.yaml`, its regimes, and how a tenant expects requests from it."""

    regimes: tuple[str, ...]
    expects: tuple[str, ...]


AREAS: Final = {
    "eu": Area(regimes=("eu-gdpr", "efta-gdpr", "fr-hds"), expects=("EEA",)),
    "uk": Area(regimes=("uk-gdpr",), expects=("GB",)),
    "ch": Area(regimes=("ch-fadp",), expects=("CH",)),
    "us": Area(regimes=("us-federal", "us-28cfr202"), expects=("US",)),
    "ca": Area(regimes=("ca-pipeda", "ca-qc-law25"), expects=("CA", "CA-QC")),
    "br": Area(regimes=("br-lgpd",), expects=("BR",)),
    "in": Area(regimes=("in-dpdp",), expects=("IN",)),
    "kr": Area(regimes=("kr-pipa",), expects=("KR",)),
    "jp": Area(regimes=("jp-appi",), expects=("JP",)),
    "sg": Area(regimes=("sg-pdpa",), expects=("SG",)),
    "au": Area(regimes=("au-privacy-act",), expects=("AU",)),
    "hk": Area(regimes=("hk-pdpo",), expects=("HK",)),
    "mo": Area(regimes=("mo-pdpa",), expects=("MO",)),
    "cn": Area(regimes=("cn-pipl",), expects=("CN",)),
    "ae": Area(regimes=("ae-pdpl", "ae-health", "ae-difc", "ae-adgm"), expects=("AE",)),
    "sa": Area(regimes=("sa-pdpl",), expects=("SA",)),
    "ru": Area(regimes=("ru-152fz",), expects=("RU",)),
    "tr": Area(regimes=("tr-kvkk",), expects=("TR",)),
    "vn": Area(regimes=("vn-pdpl",), expects=("VN",)),
    "id": Area(regimes=("id-gr71", "id-pdp"), expects=("ID",)),
    "kz": Area(regimes=("kz",), expects=("KZ",)),
}
"""The areas of law by name, in the order in which a policy names them."""

_TENANT_NEEDS: Final = {
    "bank": "eu",
    "clinic": "eu",
    "difc-broker": "ae",
    "adgm-fund": "ae",
    "id-agency": "id",
}
"""Tenants that show something of one area."""

_WITH_MECHANISMS: Final = ("group", "listed", "holding")
"""Tenants that show what mechanisms open; where no transfer counts they would show nothing."""

TENANTS: Final = ("retail", *_WITH_MECHANISMS, *_TENANT_NEEDS, "newsroom", "walk-in")
"""Every example tenant, in the order in which a policy names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of starter policy."""

    title: str
    summary: str
    """One line for `situs policy init --list`."""
    areas: tuple[str, ...]
    profiles: tuple[str, ...]
    """The profiles it goes with."""
    why_not: str = ""
    """Why it goes with no other."""
    model: str = "assistant"
    ingress: str = "eu-fra"
    home: str = "DE"
    """A country inside, for the examples that need one."""
    stays: str = ""
    """The data class that rests on no transfer under this preset, whatever the law says. Default: none."""

    def tenants(self, profile: str) -> tuple[str, ...]:
        """Give the example tenants that show something here."""
        return tuple(
            name
            for name in TENANTS
            if _TENANT_NEEDS.get(name, self.areas[0]) in self.areas
            and (profile != LEGAL_FIRST or name not in _WITH_MECHANISMS)
        )


_AT_HOME: Final = "this preset keeps data at home, so there is no transfer that {profile} could count"
_REGULATED: Final = "regulated data goes by the law alone"

PRESETS: Final = {
    "global": Preset(
        title="Situs starter policy: every law that the starter knows",
        summary="every law that the starter knows, with a region or more for each",
        areas=tuple(AREAS),
        profiles=(LEGAL_FIRST, HYBRID, PERFORMANCE_FIRST),
    ),
    "eu": Preset(
        title="Situs starter policy: the European Economic Area",
        summary="people and exporters in the EEA; data stays in the EEA",
        areas=("eu",),
        profiles=(LEGAL_FIRST,),
        why_not=_AT_HOME,
    ),
    "uk": Preset(
        title="Situs starter policy: the United Kingdom",
        summary="people and exporters in the United Kingdom; data stays there",
        areas=("uk",),
        profiles=(LEGAL_FIRST,),
        why_not=_AT_HOME,
        ingress="uk-lon",
        home="GB",
    ),
    "us": Preset(
        title="Situs starter policy: the United States",
        summary="people and exporters in the United States; data stays there, and away from operators of concern",
        areas=("us",),
        profiles=(LEGAL_FIRST,),
        why_not=_AT_HOME,
        ingress="us-iad",
        home="US",
    ),
    "finance": Preset(
        title="Situs starter policy: finance",
        summary="the laws of financial centres; the class financial rests on no transfer",
        areas=("eu", "uk", "ch", "us", "in", "kr", "jp", "sg", "hk", "ae"),
        profiles=(LEGAL_FIRST, HYBRID),
        why_not=_REGULATED,
        model="fraud",
        stays="financial",
    ),
    "health": Preset(
        title="Situs starter policy: health",
        summary="laws with rules on health data; the class health rests on no transfer",
        areas=("eu", "uk", "ch", "us", "ca", "au", "ae"),
        profiles=(LEGAL_FIRST, HYBRID),
        why_not=_REGULATED,
        model="triage",
        stays="health",
    ),
}
"""The presets by name; the first is the default."""

DEFAULT_PRESET: Final = "global"


def preset_for(profile: str, preset: str) -> Preset:
    """Give the preset, if there is one of this name and it goes with the profile. Raises PresetError."""
    if profile not in PROFILES:
        raise PresetError(f"there is no profile '{profile}'. Mend: choose one of {', '.join(PROFILES)}")
    if preset not in PRESETS:
        raise PresetError(f"there is no preset '{preset}'. Mend: choose one of {', '.join(PRESETS)}")
    found = PRESETS[preset]
    if profile not in found.profiles:
        why = found.why_not.format(profile=profile)
        fits = " or ".join(found.profiles)
        others = ", ".join(name for name, other in PRESETS.items() if profile in other.profiles)
        raise PresetError(
            f"the preset '{preset}' does not go with the profile '{profile}': {why}. "
            f"Mend: take the profile {fits}, or a preset that goes with {profile} ({others})"
        )
    return found
