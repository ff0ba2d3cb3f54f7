"""The figures of docs/ECONOMICS.md. Colours are Okabe and Ito's, told apart by shape or dash as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np

from bench.economics.thresholds import gain_per_price, least_bond_share, verification_cost
from proofmill.sampling import PARTS, OperatorHistory, SamplingPolicy

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

BLUE, ORANGE, GREEN, RED, GREY, BLACK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8C8C8C", "#222222"
LINES: Final = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, "-.", "^"), (RED, ":", "D"))
STYLE: Final[dict[Any, Any]] = {
    "figure.dpi": 130,
    "savefig.bbox": "tight",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


def draw_all(folder: Path, results: dict[str, Any]) -> list[str]:
    """Writes every figure into the folder, from the results alone; returns their file names."""
    folder.mkdir(parents=True, exist_ok=True)
    protocol, policy = results["protocol"], SamplingPolicy(**results["policy"])
    sweeps = results["sweeps"]
    with mpl.rc_context(STYLE):
        figures = {
            "strategies.png": _strategies(results["scenarios"]),
            "bond_and_rate.png": _bond_and_rate(policy, protocol["bond_rate"], protocol["bond_multiple"]),
            "rate_sweep.png": _rate_sweep(sweeps["gain_per_price_by_floor_rate"], policy),
            "policy.png": _policy(policy),
            "canaries.png": _canaries(sweeps["gain_of_blind_signing_by_canary_rate"], policy),
        }
        for name, figure in figures.items():
            figure.savefig(folder / name, metadata={"Software": None})
            plt.close(figure)
    return list(figures)


def _strategies(scenarios: dict[str, Any]) -> Figure:
    """One panel for each market, on one scale."""
    figure, panels = plt.subplots(
        1, len(scenarios), figsize=(12.5, 4.6), sharey=True, constrained_layout=True
    )
    first = next(iter(scenarios.values()))["strategies"]
    names = [name for name, values in first.items() if values["prevented_because"] is None]
    places = np.arange(len(names))[::-1]
    for panel, (title, scenario) in zip(panels, scenarios.items(), strict=True):
        panel.axvline(0, color=BLACK, linewidth=1)
        for place, name in zip(places, names, strict=True):
            gain = scenario["strategies"][name]["gain_per_price"]
            loses = gain["high"] < 0
            panel.errorbar(
                gain["mean"],
                place,
                xerr=[[gain["mean"] - gain["low"]], [gain["high"] - gain["mean"]]],
                color=BLUE if loses else RED,
                marker="o" if loses else "X",
                markersize=7,
                capsize=3,
                linewidth=1.5,
            )
        panel.set_xscale("symlog", linthresh=1)
        panel.set_xlim(-1_000, 3)
        panel.set_xticks([-1_000, -100, -10, -1, 0, 1], ["−1000", "−100", "−10", "−1", "0", "+1"])
        panel.minorticks_off()
        panel.set_title(title)
        panel.set_xlabel("expected gain over honest work\n(MILL for each MILL of price lied about)")
    panels[0].set_yticks(places, names)
    handles = [
        Line2D([], [], color=BLUE, marker="o", linestyle="", label="cheating loses"),
        Line2D([], [], color=RED, marker="X", linestyle="", label="cheating wins or is undecided"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle("What cheating pays (bars: 95 % intervals)", x=0.01, ha="left", fontsize=12)
    return figure


def _bond_and_rate(policy: SamplingPolicy, bond_rate: float, bond_multiple: float) -> Figure:
    figure, axes = _single()
    rates = np.logspace(np.log10(0.01), 0, 200)
    for saved, (colour, dash, _) in zip((1.0, 0.5, 0.25, 0.1), LINES, strict=True):
        bonds = [least_bond_share(saved, rate) for rate in rates]
        axes.plot(
            rates * 100, bonds, color=colour, linestyle=dash, label=f"a lie wins {saved:.0%} of the price"
        )
    floor = policy.floor_rate / PARTS
    for bond_share, marker, colour, name in (
        (bond_rate * bond_multiple, "*", BLACK, "defaults"),
        (bond_rate, "X", GREY, "least bond that the escrow accepts"),
    ):
        axes.scatter(
            [floor * 100],
            [bond_share],
            s=160,
            marker=marker,
            color=colour,
            zorder=5,
            label=f"{name}: floor {floor:.0%}, bond {bond_share:g}",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, 100)
    axes.set_ylim(0.5, 120)
    axes.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    axes.set_yticks([0.5, 1, 3, 10, 30, 100], ["0.5", "1", "3", "10", "30", "100"])
    axes.minorticks_off()
    axes.set_xlabel("probability that a lie is refuted (%)")
    axes.set_ylabel("bond of a job (multiples of its price)")
    axes.set_title("Above its line, a lie does not pay")
    axes.legend(loc="upper right")
    return figure


def _rate_sweep(sweeps: dict[str, Any], policy: SamplingPolicy) -> Figure:
    figure, axes = _single()
    fine = np.linspace(0.01, 0.6, 100)
    for (bond_share, points), (colour, dash, marker) in zip(sweeps.items(), LINES, strict=True):
        axes.plot(
            fine * 100,
            [gain_per_price(1.0, rate, float(bond_share)) for rate in fine],
            color=colour,
            linestyle=dash,
        )
        _points(axes, points, colour, marker, "", f"bond of {float(bond_share):g} × the price")
    floor = policy.floor_rate / PARTS * 100
    axes.axhline(0, color=BLACK, linewidth=1)
    axes.axvline(floor, color=GREY, linewidth=1, linestyle="--")
    axes.annotate("default", (floor - 0.4, -2.85), color=GREY, fontsize=9, rotation=90, ha="right")
    axes.set_ylim(-3, 1.2)
    axes.set_xlim(0, 60)
    axes.set_xlabel("floor of the sampling rate (%)")
    axes.set_ylabel("expected gain of a lie at the floor\n(MILL for each MILL of price)")
    axes.set_title("Simulation (points, 95 %) and closed form (lines); a lie wins its whole price")
    axes.legend(loc="upper right")
    return figure


def _policy(policy: SamplingPolicy) -> Figure:
    figure, axes = _single()
    jobs = np.arange(0, 301)
    rate = np.array([policy.rate(OperatorHistory(int(job), int(job)), 0, 1) for job in jobs]) / PARTS
    axes.step(jobs, rate * 100, where="post", color=BLUE, label="rate for an operator without a fault")
    cost = np.cumsum([verification_cost(round(each * PARTS), policy.judges) for each in rate]) / (jobs + 1)
    axes.plot(
        jobs,
        cost * 100,
        color=ORANGE,
        linestyle="--",
        label=f"re-executions per job so far ({policy.judges} judges)",
    )
    axes.axhline(policy.floor_rate / PARTS * 100, color=GREY, linestyle=":", label="floor of the rate")
    axes.set_yscale("log")
    axes.set_ylim(2, 300)
    axes.set_yticks([3, 10, 30, 100, 200], ["3", "10", "30", "100", "200"])
    axes.minorticks_off()
    axes.set_xlim(0, 300)
    axes.set_xlabel("jobs finished")
    axes.set_ylabel("% of jobs")
    axes.set_title("How an operator's jobs are sampled, and what checking them costs")
    axes.legend(loc="upper right")
    return figure


def _canaries(sweeps: dict[str, Any], policy: SamplingPolicy) -> Figure:
    figure, axes = _single()
    for (bond, points), (colour, dash, marker) in zip(sweeps.items(), LINES, strict=False):
        _points(axes, points, colour, marker, dash, f"bond of a member: {float(bond):g} MILL")
    rate = policy.canary_rate / PARTS * 100
    axes.axhline(0, color=BLACK, linewidth=1)
    axes.axvline(rate, color=GREY, linewidth=1, linestyle="--")
    axes.annotate("default", (rate + 0.03, axes.get_ylim()[1] * 0.92), color=GREY, fontsize=9)
    axes.set_xlim(-0.05, 3.1)
    axes.set_xlabel("canaries among the jobs that a member has to judge (%)")
    axes.set_ylabel("expected gain of signing blindly\n(MILL in at most 500 signatures)")
    axes.set_title("Why there are canaries; a re-execution costs the job's price, 1.65 MILL on average")
    axes.legend(loc="upper right")
    return figure


def _points(axes: Axes, points: dict[str, Any], colour: str, marker: str, dash: str, label: str) -> None:
    """Means with their 95 % intervals over rates in per cent."""
    means = [point["mean"] for point in points.values()]
    axes.errorbar(
        [float(rate) * 100 for rate in points],
        means,
        yerr=[
            [mean - point["low"] for mean, point in zip(means, points.values(), strict=True)],
            [point["high"] - mean for mean, point in zip(means, points.values(), strict=True)],
        ],
        color=colour,
        marker=marker,
        linestyle=dash,
        capsize=3,
        label=label,
    )


def _single() -> tuple[Figure, Axes]:
    figure = plt.figure(figsize=(7.6, 4.6), constrained_layout=True)
    return figure, figure.add_subplot()
