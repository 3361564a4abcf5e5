"""The plots. Colours by Okabe and Ito, which people with any colour vision tell apart, and line styles beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from bench.routing.comparisons import Best, Ran
from bench.routing.ways import EWMA, LEAST, ORACLE, OURS, SHARE
from bench.routing.world import REGIONS, Spell, World

_COLOURS: Final = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
_STYLES: Final = ("-", "-", "--", "-.", ":", "--", "-.", ":")
_FIRST: Final = (ORACLE, OURS, EWMA, LEAST, SHARE)


def plot_all(
    directory: Path, world: World, ran: Sequence[Ran], profiled: Sequence[Ran], best: Mapping[str, Best]
) -> list[str]:
    """Draw all plots into a folder; give the names of the files."""
    directory.mkdir(parents=True, exist_ok=True)
    shown = [each for way in _FIRST for each in ran if each.way == way][: len(_COLOURS)]
    return [
        _latencies(directory / "routing-latency.png", shown),
        _recovery(directory / "routing-recovery.png", world, shown),
        _price(directory / "routing-price.png", profiled, best),
    ]


def _latencies(path: Path, shown: Sequence[Ran]) -> str:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for i, each in enumerate(_first_of_each(shown)):
        if each.curve is not None:
            latencies_ms = each.curve.latencies_ms
            above = [1 - k / (len(latencies_ms) - 1) for k in range(len(latencies_ms))]
            axes.plot(latencies_ms, above, label=each.way, color=_COLOURS[i], linestyle=_STYLES[i])
    axes.set(xscale="log", yscale="log", xlim=(50, 20_000), ylim=(1 / 400, 1))
    axes.set(xlabel="latency, ms", ylabel="share of requests that took longer")
    axes.set_title("Latency through a brown-out, an outage and a cold recovery (simulated)")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    return path.name


def _first_of_each(shown: Sequence[Ran]) -> list[Ran]:
    return list({each.way: each for each in reversed(shown)}.values())[::-1]


def _recovery(path: Path, world: World, shown: Sequence[Ran]) -> str:
    figure = Figure(figsize=(13, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for i, each in enumerate(_first_of_each(shown)):
        if each.curve is not None:
            above.plot(each.curve.mean_ms, label=each.way, color=_COLOURS[i], linestyle=_STYLES[i], linewidth=1.2)
        if each.way == OURS and each.curve is not None:
            for r, rates in enumerate(each.curve.rates):
                below.plot(rates, label=REGIONS[r], color=_COLOURS[r + 1], linestyle=_STYLES[r + 1])
    above.set(yscale="log", ylabel="mean latency, ms")
    above.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
    above.yaxis.set_major_formatter(ScalarFormatter())
    above.yaxis.set_minor_formatter(NullFormatter())
    above.set_title("Through the events (simulated); each second by when requests arrived")
    below.set(xlabel="time, s", ylabel=f"requests/s served\n{OURS}")
    for axes in (above, below):
        _shade(axes, world.spells, named=axes is above)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    figure.savefig(path, dpi=120)
    return path.name


def _shade(axes: Axes, spells: Sequence[Spell], *, named: bool) -> None:
    seen: set[str] = set()
    for spell in spells:
        axes.axvspan(spell.from_s, spell.until_s, color="#999999", alpha=0.12 if spell.slowness else 0.3, linewidth=0)
        if named and spell.name not in seen:
            seen.add(spell.name)
            axes.text(
                spell.from_s,
                0.98,
                f" {spell.name}, {REGIONS[spell.region]}",
                va="top",
                fontsize="small",
                transform=axes.get_xaxis_transform(),
            )


def _price(path: Path, profiled: Sequence[Ran], best: Mapping[str, Best]) -> str:
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    means, leaks = figure.subplots(1, 2)
    names = [each.case for each in profiled]
    places = range(len(names))
    bars = (
        ("oracle, all regions well", [best[name].calm_ms for name in names]),
        ("oracle, whole run (it lets all wait)", [best[name].all_ms for name in names]),
        ("Situs, whole run (it sheds)", [each.figures.mean_ms for each in profiled]),
    )
    for i, (label, heights_ms) in enumerate(bars):
        means.bar([x + 0.27 * (i - 1) for x in places], heights_ms, 0.27, label=label, color=_COLOURS[i])
    means.set_xticks(list(places), names)
    means.set(yscale="log", ylim=(100, 20_000), ylabel="mean latency, ms", title="Price of compliance (simulated)")
    means.legend(fontsize="small", loc="upper right")
    shares = (
        ("no law permits it", [100 * each.figures.unlawful for each in profiled], _COLOURS[1], ""),
        (
            "by a transfer permit",
            [100 * (each.figures.transferred - each.figures.unlawful) for each in profiled],
            _COLOURS[2],
            "//",
        ),
    )
    bottom = [0.0] * len(names)
    for label, heights, colour, hatch in shares:
        leaks.bar(list(places), heights, 0.5, bottom=bottom, label=label, color=colour, hatch=hatch)
        bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
    leaks.set_xticks(list(places), names)
    leaks.set(ylabel="requests outside their home set, %", title="Where the data went")
    leaks.legend()
    figure.savefig(path, dpi=120)
    return path.name
