"""What a seed decides: at each decision the default course is taken, or a deviation from it.

The default is always the quiet one: no fault, no delay. Only deviations are recorded, by the name
of their decision and how often it came before: a history is short to keep, fewer deviations make a
simpler one, and to leave something out moves little else. Hypothesis does the like with its choice
sequence.
"""

import random
from collections import Counter
from collections.abc import Mapping


class Choices:
    """Decisions drawn from a seed, or, where `recorded` is given, taken again from there."""

    def __init__(self, seed: int, recorded: Mapping[str, int] | None = None) -> None:
        self._random = random.Random(seed)
        self._recorded = recorded
        self._came: Counter[str] = Counter()
        self.deviations: dict[str, int] = {}

    def deviation(self, name: str, chance: float, options: int) -> int:
        """0 for the default, else which of `options` is taken, from 1; of such a `chance`."""
        self._came[name] += 1
        if self._recorded is not None:
            value = self._recorded.get(f"{name} {self._came[name]}", 0)
        elif chance and self._random.random() < chance:
            value = self._random.randrange(options) + 1
        else:
            return 0
        if value:
            self.deviations[f"{name} {self._came[name]}"] = value
        return value
