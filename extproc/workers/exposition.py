"""The metrics of several workers as one page: each worker's samples, with a label that says whose they are.

Works on Prometheus' text form, so nothing of a sample but its labels changes, and `sum without (worker)` of any of
them is what one process would show.

SPEC: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(slots=True, kw_only=True)
class _Family:
    """The lines of one metric: what it is, then its samples."""

    about: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def merge(pages: Mapping[int, str]) -> str:
    """Merge the pages of workers, by their index.

    A metric's help and type are told once, and its samples stand together.
    """
    families: dict[str, _Family] = {}
    for worker, page in pages.items():
        label = f'worker="{worker}"'
        family = _Family()
        for line in page.split("\n"):
            if line.startswith("# "):
                _, what, name, *_ = line.split(" ", 3)
                family = families.setdefault(name, _Family())
                if what in ("HELP", "TYPE") and line not in family.about:
                    family.about.append(line)
            elif line:
                family.samples.append(_labelled(line, label))
    return "".join(f"{line}\n" for family in families.values() for line in (*family.about, *family.samples))


def _labelled(sample: str, label: str) -> str:
    name = _NAME.match(sample)
    if name is None:
        raise ValueError(f"no sample: {sample!r}")
    rest = sample[name.end() :]
    if rest.startswith("{"):
        return f"{name.group()}{{{label},{rest[1:]}"
    return f"{name.group()}{{{label}}}{rest}"
