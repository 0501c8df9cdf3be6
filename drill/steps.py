"""One step of the drill: what was sent, what came back, that nothing was lost; printed at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from vialwise import terminal


@dataclass(slots=True)
class Step:
    """What is said of a step. It passes when `faults` is empty and something was expected."""

    title: str
    sent: list[str] = field(default_factory=list)
    came_back: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    expectations: int = 0

    def expect(self, holds: bool, otherwise: str) -> None:
        """`otherwise` is the fault when it does not hold."""
        self.expectations += 1
        if not holds:
            self.faults.append(otherwise)

    @property
    def passed(self) -> bool:
        return self.expectations > 0 and not self.faults


@dataclass(slots=True)
class Report:
    """Prints each step when it ends and remembers how it ended."""

    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step that fails by itself is a failed step; the others are still played."""
        made = Step(title)
        self.steps.append(made)
        try:
            yield made
        except Exception as error:  # whatever it is, the drill has to say so and go on
            made.faults.append(f"the step broke off: {type(error).__name__}: {error}")
        _show(made)

    def part(self, title: str) -> None:
        click.echo()
        terminal.heading(title)

    def summary(self) -> bool:
        """Prints what failed; whether all passed."""
        failed = [step.title for step in self.steps if not step.passed]
        click.echo()
        terminal.heading(f"{len(self.steps)} steps, {len(failed)} failed")
        terminal.points(failed)
        return bool(self.steps) and not failed


def _show(step: Step) -> None:
    click.echo()
    terminal.heading(step.title)
    for name, lines in (("sent", step.sent), ("came back", step.came_back), ("kept", step.kept)):
        for place, line in enumerate(lines):
            terminal.say(line, f"  {name if place == 0 else '':<11}")
    for fault in step.faults or ([] if step.expectations else ["nothing was expected"]):
        terminal.say(fault, "  FAIL       ", fg="red")
    if step.passed:
        terminal.say(f"{step.expectations} expectations held", "  PASS       ", fg="green")
