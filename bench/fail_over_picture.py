"""`docs/pictures/fail-over.svg`: tasks accepted and ended a second over time, and what was lost when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.fail_over_books import Course, Loss
from tests.processes import ROOT

#: Seconds that are counted together: tasks come in batches.
STEP = 2.0
WIDTH, HEIGHT = 900, 330
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 62, 40

WORDS = {
    "fail-over.svg": {
        "rabbitmq": "RabbitMQ node",
        "web": "web",
        "worker": "worker",
        "clock": "leading clock",
        "postgresql": "PostgreSQL primary",
        "accepted": "accepted",
        "ended": "ended",
        "unit": "tasks a second",
        "seconds": "seconds",
        "away": "grey: away or not whole",
    },
    "fail-over.zh.svg": {
        "rabbitmq": "RabbitMQ 节点",
        "web": "web",
        "worker": "worker",
        "clock": "当值的 clock",
        "postgresql": "PostgreSQL 主库",
        "accepted": "已接受",
        "ended": "已结束",
        "unit": "每秒任务数",
        "seconds": "秒",
        "away": "灰色：缺失或尚未恢复冗余",
    },
}

FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, 'PingFang SC', \
'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif" font-size="12" fill="currentColor">
<style>
  svg {{ color: #24292f; background: #fff; }}
  @media (prefers-color-scheme: dark) {{ svg {{ color: #e6edf3; background: #0d1117; }} }}
</style>
{parts}
</svg>
"""


class Paper:
    """Where a moment and a rate stand in the picture."""

    def __init__(self, seconds: float, most: float) -> None:
        self._seconds, self._most = seconds, most

    def x(self, second: float) -> float:
        """Of a second since the load began."""
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self._seconds

    def y(self, rate: float) -> float:
        """Of so many tasks a second."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / self._most

    def line(self, rates: Sequence[float]) -> str:
        """Return the points of a line through rates, STEP seconds apart."""
        return " ".join(f"{self.x((at + 0.5) * STEP):.1f},{self.y(rate):.1f}" for at, rate in enumerate(rates))


def draw(course: Course, folder: Path = ROOT / "docs" / "pictures") -> list[Path]:
    """Write the picture in each language. Returns the files."""
    last = max(course.ended, *(ended for _, ended in course.tasks)) - course.began
    accepted = rates([moment - course.began for moment in course.accepted.values()], last)
    ended = rates([moment - course.began for _, moment in course.tasks], last)
    paper = Paper(last, max(*accepted, *ended) * 1.05)
    written = []
    for name, words in WORDS.items():
        parts = [axes(paper, last, max(*accepted, *ended), words)]
        losses = [loss for loss in course.losses if loss.what in words]
        parts += [mark(paper, loss, course.began, words, row % 2) for row, loss in enumerate(losses)]
        parts += [
            f'<polyline points="{paper.line(accepted)}" fill="none" stroke="#8b949e" stroke-width="1.3"/>',
            f'<polyline points="{paper.line(ended)}" fill="none" stroke="#4b8bd0" stroke-width="2"/>',
        ]
        (folder / name).write_text(FRAME.format(width=WIDTH, height=HEIGHT, parts="\n".join(parts)), encoding="utf-8")
        written.append(folder / name)
    return written


def rates(moments: Sequence[float], last: float) -> list[float]:
    """How many there are a second, for each STEP seconds."""
    counts = [0] * (int(last / STEP) + 1)
    for moment in moments:
        counts[min(int(moment / STEP), len(counts) - 1)] += 1
    return [count / STEP for count in counts]


def axes(paper: Paper, last: float, most: float, words: dict[str, str]) -> str:
    """Both axes with their numbers, and what the lines are."""
    bottom = HEIGHT - BOTTOM
    parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="currentColor"/>']
    for second in range(0, int(last) + 1, 30):
        parts.append(f'<text x="{paper.x(second):.1f}" y="{bottom + 16}" text-anchor="middle">{second}</text>')
    for rate in range(0, int(most) + 1, max(1, round(most / 5))):
        parts.append(f'<text x="{LEFT - 6}" y="{paper.y(rate) + 4:.1f}" text-anchor="end">{rate}</text>')
    foot = HEIGHT - 8
    parts += [
        f'<text x="{WIDTH - RIGHT}" y="{foot}" text-anchor="end">{words["seconds"]}</text>',
        f'<text x="{LEFT}" y="14">{words["unit"]}:</text>',
        f'<text x="{LEFT + 110}" y="14" fill="#8b949e">{words["accepted"]}</text>',
        f'<text x="{LEFT + 180}" y="14" fill="#4b8bd0" font-weight="600">{words["ended"]}</text>',
        f'<text x="{LEFT + 250}" y="14" fill-opacity="0.7">{words["away"]}</text>',
    ]
    return "\n".join(parts)


def mark(paper: Paper, loss: Loss, began: float, words: dict[str, str], row: int) -> str:
    """Mark a loss: a red line with its name, and grey until what was lost is there again."""
    left, right = paper.x(loss.at - began), paper.x(loss.back - began)
    bottom = HEIGHT - BOTTOM
    return "\n".join(
        [
            f'<rect x="{left:.1f}" y="{TOP}" width="{max(0.5, right - left):.1f}" height="{bottom - TOP}"'
            ' fill="#8b949e" fill-opacity="0.15"/>',
            f'<path d="M{left:.1f} {TOP - 4}V{bottom}" stroke="#cf222e" stroke-width="1.4"/>',
            f'<text x="{left:.1f}" y="{TOP - 10 - 16 * row}" fill="#cf222e">{words[loss.what]}</text>',
        ]
    )
