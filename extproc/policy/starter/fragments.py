"""The texts of which a starter policy is made, each beside what it says.

Owns reading the package's YAML: a regime is split at its permits and class rules, so that a policy can leave one out
and keep every comment of the others. The layout of the files in `regimes/` is fixed: a regime starts in the first
column, its fields are indented by two, its permits by four, and a class rule is one line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from extproc.strict_yaml.nodes import Kind, Node, Scalar, parse_nodes
from extproc.strict_yaml.nodes import Mapping as Entries

_PACKAGE: Final = files("extproc.policy.starter")
_PART: Final = re.compile(r"# == (\S+)")
_RULE: Final = re.compile(r"    (\w+): \{only: \[([^\]]*)\], cite: (.+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitText:
    """One permit: what it says, and its lines with the comments above them."""

    id: str
    text: str
    data: Mapping[str, Any]

    @property
    def is_transfer(self) -> bool:
        """Whether its basis is one of a transfer."""
        return self.data["basis"] in ("adequacy", "safeguards", "derogation")

    @property
    def mechanism(self) -> str | None:
        """The mechanism that enables it."""
        written = self.data.get("enabled_by")
        return None if written is None else str(written).removeprefix("tenant.mechanisms.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeText:
    """One regime in its pieces, in the order in which they are written."""

    id: str
    about: str
    """The comments above it."""
    head: str
    """From its id to the word `permits:`."""
    permits: tuple[PermitText, ...]
    obligations: str
    """Empty where there are none."""
    rules_comment: str
    """The comments above `class:`."""
    rules: Mapping[str, tuple[str, ...]]
    """By data class: the only permits that count."""
    rule_cites: Mapping[str, str]
    """By data class: where the rule comes from, as it is written."""
    data: Mapping[str, Any]


def read_part(name: str) -> str:
    """Give the text of a file in `parts/`."""
    return _PACKAGE.joinpath("parts", f"{name}.yaml").read_text(encoding="utf-8")


@cache
def named_parts(name: str) -> Mapping[str, str]:
    """Give the pieces of a file in `parts/`, by the names in its lines `# == NAME`."""
    pieces: dict[str, list[str]] = {}
    current: list[str] = []
    for line in read_part(name).splitlines():
        if found := _PART.fullmatch(line):
            current = pieces.setdefault(found.group(1), [])
        else:
            current.append(line)
    return {key: "\n".join(lines) + "\n" for key, lines in pieces.items()}


@cache
def regime_texts() -> Mapping[str, RegimeText]:
    """Give every regime of `regimes/` by its id, in the order of the files."""
    paths = sorted(_PACKAGE.joinpath("regimes").iterdir(), key=lambda path: path.name)
    found = [regime for path in paths for regime in _regimes(path.read_text(encoding="utf-8"))]
    return {regime.id: regime for regime in found}


@cache
def read_yaml(text: str) -> Any:  # noqa: ANN401 - plain YAML, as the standard library would give JSON
    """Read plain YAML 1.2 of this package's own. What comes back is shared, so nobody changes it."""
    node, _ = parse_nodes(text.encode(), "<starter>")
    return _plain(node)


def _plain(node: Node) -> Any:  # noqa: ANN401 - see read_yaml
    if isinstance(node, Scalar):
        match node.kind:
            case Kind.BOOLEAN:
                return node.text.lower() == "true"
            case Kind.INTEGER:
                return int(node.text)
            case Kind.EMPTY:
                return None
            case _:
                return node.text
    if isinstance(node, Entries):
        return {key.text: _plain(value) for key, value in node.entries}
    return [_plain(item) for item in node.items]


def _regimes(text: str) -> Iterator[RegimeText]:
    data = read_yaml(text)
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("- id: ")]
    abouts = [_comment_start(lines, start) for start in starts]
    for entry, start, about, end in zip(data, starts, abouts, [*abouts[1:], len(lines)], strict=True):
        yield _regime(entry, lines[about:start], lines[start:end])


def _comment_start(lines: list[str], at: int) -> int:
    """Find the first of the comment lines above a line."""
    while at > 0 and lines[at - 1].startswith("#"):
        at -= 1
    return at


def _regime(data: Mapping[str, Any], about: list[str], lines: list[str]) -> RegimeText:
    lines = [line for line in lines if line]
    permits = lines.index("  permits:") + 1
    obligations = lines.index("  obligations:") if "  obligations:" in lines else None
    rules = lines.index("  class:") if "  class:" in lines else None
    comment = rules
    while comment is not None and lines[comment - 1].startswith("  #"):
        comment -= 1
    found = [] if rules is None else [_rule(line) for line in lines[rules + 1 :]]
    ends = [at for at in (obligations, comment, len(lines)) if at is not None]
    return RegimeText(
        id=str(data["id"]),
        about=_join(about),
        head=_join(lines[:permits]),
        permits=tuple(_permits(data, lines[permits : ends[0]])),
        obligations="" if obligations is None else _join(lines[obligations : ends[1]]),
        rules_comment="" if comment is None else _join(lines[comment:rules]),
        rules={name: only for name, only, _ in found},
        rule_cites={name: cite for name, _, cite in found},
        data=data,
    )


def _permits(data: Mapping[str, Any], lines: list[str]) -> Iterator[PermitText]:
    starts = [i for i, line in enumerate(lines) if line.startswith("    - id: ")]
    begins = []
    for start in starts:
        begin = start
        while begin > 0 and lines[begin - 1].startswith("    #"):
            begin -= 1
        begins.append(begin)
    for entry, begin, end in zip(data["permits"], begins, [*begins[1:], len(lines)], strict=True):
        yield PermitText(id=str(entry["id"]), text=_join(lines[begin:end]), data=entry)


def _rule(line: str) -> tuple[str, tuple[str, ...], str]:
    found = _RULE.fullmatch(line)
    if found is None:
        raise ValueError(f"not a class rule on one line: {line}")
    only = tuple(name.strip() for name in found.group(2).split(",") if name.strip())
    return found.group(1), only, found.group(3)


def _join(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
