"""Curves as SVG: cost over size, the size on a logarithmic axis."""

from __future__ import annotations

import math
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, BELOW, ABOVE, RIGHT = 720, 360, 60, 50, 40, 190
COLOURS = ("#1f6f8b", "#c8553d", "#5b8c2a", "#7a5195")


class Curve(NamedTuple):
    """What one thing costs at each size."""

    name: str
    costs: dict[int, float]


def draw(curves: list[Curve]) -> str:
    """Return an SVG of the curves, each relative to its first cost: flat is 1."""
    sizes = sorted({size for curve in curves for size in curve.costs})
    ratios = [
        [(size, cost / next(iter(curve.costs.values()))) for size, cost in curve.costs.items()] for curve in curves
    ]
    top = max(2.0, math.ceil(max(ratio for line in ratios for _, ratio in line)))
    parts = [_text(LEFT, 22, "Cost relative to the smallest size", "start"), *_axes(sizes, top)]
    for number, (curve, line) in enumerate(zip(curves, ratios, strict=True)):
        points = [(_x(size, sizes), _y(ratio, top)) for size, ratio in line]
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        place = ABOVE + 20 + 22 * number
        parts.append(f'<rect x="{WIDTH - RIGHT + 20}" y="{place - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 38, place, curve.name, "start"))
    frame = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="13"'
    inside = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {frame} {style}>\n<rect {frame} fill="#fff"/>\n{inside}\n</svg>\n'


def _axes(sizes: list[int], top: float) -> list[str]:
    found = []
    for step in range(int(top * 2) + 1):
        y = _y(step / 2, top)
        found.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        found.append(_text(LEFT - 8, y + 4, f"{step / 2:g}", "end"))
    return found + [_text(_x(size, sizes), HEIGHT - BELOW + 20, f"{size:,}", "middle") for size in sizes]


def _x(size: int, sizes: list[int]) -> float:
    low, high = math.log(sizes[0]), math.log(max(sizes[-1], sizes[0] + 1))
    return LEFT + (math.log(size) - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _y(ratio: float, top: float) -> float:
    return HEIGHT - BELOW - ratio / top * (HEIGHT - BELOW - ABOVE)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{words}</text>'
