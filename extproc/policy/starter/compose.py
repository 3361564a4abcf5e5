"""From texts to a whole policy document, deterministically: equal arguments give equal bytes.

Owns the layout. What goes in is `selection`'s, what the laws say is in `regimes/`.
"""

import re
from string import Template
from textwrap import indent, wrap
from typing import Final

from extproc.policy.starter.examples import tests_text
from extproc.policy.starter.fragments import named_parts, read_part, read_yaml
from extproc.policy.starter.places import SERVED
from extproc.policy.starter.presets import (
    CLASSES,
    DEFAULT_PRESET,
    HYBRID,
    LEGAL_FIRST,
    PERFORMANCE_FIRST,
    preset_for,
)
from extproc.policy.starter.selection import Kept, Selection

_WIDTH: Final = 120
_OWN_RULE: Final = '"this preset\'s own rule, not the law: it rests on no transfer"'

_MEASURED_FROM: Final = "eu-fra"
"""The ingress from which the catalogue's round trips are; from elsewhere they would mislead."""

_STANCE: Final = {
    LEGAL_FIRST: "The profile legal-first counts no transfer: what rests on adequacy, clauses or rules is left out of "
    "this file, and would not count if it were written here. Each request stays where its own law keeps it.",
    HYBRID: "The profile hybrid counts transfers. Every permit that is one is off until a tenant declares the "
    "mechanism that it rests on, and each decision that uses one is recorded as a transfer with the tenant's "
    "reference.",
    PERFORMANCE_FIRST: "The profile performance-first counts transfers as hybrid does, and lets no law of this file "
    "govern the class public: such requests go to any region. The linter notes that, because whatever a tenant calls "
    "public is then held by nothing.",
}

_MECHANISMS: Final = (
    "Mechanisms that a tenant can declare here. Each is a fact about the exporter, which nobody but the exporter can "
    "know; a reference beside it stands in the record of each transfer:"
)


def compose(profile: str, preset: str = DEFAULT_PRESET) -> str:
    """Write the starter policy of a profile and a preset. Raises PresetError where the two do not go together."""
    selection = Selection(profile, preset_for(profile, preset))
    return Template(read_part("head")).substitute(
        title=selection.preset.title,
        profile=profile,
        preset=preset,
        stance=_comment(_STANCE[profile])[2:].rstrip("\n"),
        mechanisms=_mechanisms(selection),
        ingress=selection.preset.ingress,
        classes=_classes(profile),
        zones=_zones(selection),
        regions=_regions(selection),
        regimes="\n".join(_regime(kept) for kept in selection.regimes),
        tenants="\n".join(_tenant(name, selection) for name in selection.tenants),
        signals=_signals(profile),
        tests=tests_text(selection, preset),
    )


def _comment(text: str, *, prefix: str = "# ", hanging: str = "") -> str:
    lines = wrap(
        text,
        width=_WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "".join(f"{line}\n" for line in lines)


def _mechanisms(selection: Selection) -> str:
    """Define each mechanism that this policy uses, as comments."""
    if not selection.mechanisms:
        return ""
    meanings: dict[str, str] = read_yaml(read_part("mechanisms"))
    entries = [
        _comment(f"{name}: {meaning.strip()}.", prefix="#   ", hanging="  ")
        for name, meaning in meanings.items()
        if name in selection.mechanisms
    ]
    return f"{_comment(_MECHANISMS)}#\n{''.join(entries)}"


def _classes(profile: str) -> str:
    about = _comment(
        "The kinds of data that we tell apart. The list is closed: a request that declares another class is refused. "
        "`special` are the special categories of GDPR Art. 9 and what other laws treat alike; `health` and `financial` "
        "are apart because some laws bind them more.",
    )
    if profile != PERFORMANCE_FIRST:
        return f"{about}classes: [{', '.join(CLASSES)}]\n"
    lines = "".join(f"  {name}: {{{'unregulated: true' if name == 'public' else ''}}}\n" for name in CLASSES)
    return f"{about}classes:\n{lines}"


def _zones(selection: Selection) -> str:
    parts = named_parts("zones")
    written = "".join(indent(parts[name], "  ") for name in selection.zones if name != SERVED)
    served = wrap(
        f"[{', '.join(selection.catalogue.countries)}]",
        width=_WIDTH,
        initial_indent=f"  {SERVED}: ",
        subsequent_indent=" " * (len(SERVED) + 5),
    )
    about = "  # Every country in which a region of this policy stands.\n"
    return written + about + "".join(f"{line}\n" for line in served)


def _regions(selection: Selection) -> str:
    parts = named_parts("regions")
    text = "".join(parts[area] for area in selection.preset.areas)
    if selection.preset.ingress != _MEASURED_FROM:
        text = re.sub(r", rtt_ms: \d+", "", text)
    return indent(text.replace("$models", f"{{{selection.preset.model}: {{}}}}"), "  ")


def _regime(kept: Kept) -> str:
    regime = kept.regime
    text = regime.about + regime.head
    for names, why in (
        (kept.no_transfer, "this profile counts no transfer"),
        (kept.not_needed, "no region or tenant of this policy needs it"),
    ):
        if names:
            text += _comment(f"Left out, because {why}: {', '.join(names)}.", prefix="    # ", hanging="  ")
    text += "".join(permit.text for permit in kept.permits) + regime.obligations
    if kept.rules:
        written = [name for name in kept.rules if name != kept.own_rule]
        text += regime.rules_comment if written else ""
        text += "  class:\n" + "".join(_rule(name, kept.rules[name], regime.rule_cites[name]) for name in written)
        if kept.own_rule:
            text += _rule(kept.own_rule, kept.rules[kept.own_rule], _OWN_RULE)
    return indent(text, "  ")


def _rule(name: str, only: tuple[str, ...], cite: str) -> str:
    return f"    {name}: {{only: [{', '.join(only)}], cite: {cite}}}\n"


def _tenant(name: str, selection: Selection) -> str:
    text = Template(named_parts("tenants")[name]).substitute(
        expects=f"[{', '.join(selection.expects)}]",
        holding_expects=f"[{', '.join(code for code in selection.expects if code in ('EEA', 'GB', 'CH'))}]",
    )
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        inside = line == "  mechanisms:" or (inside and line.startswith("    "))
        if inside and line.strip().partition(":")[0] not in (*selection.mechanisms, "mechanisms"):
            continue
        lines.append(line)
    if "  mechanisms:" in lines and not lines[lines.index("  mechanisms:") + 1].startswith("    "):
        lines.remove("  mechanisms:")
    return indent("".join(f"{line}\n" for line in lines), "  ")


def _signals(profile: str) -> str:
    return named_parts("signals")[LEGAL_FIRST if profile == LEGAL_FIRST else HYBRID]
