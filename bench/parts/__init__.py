"""The parts of the bench, by name, in the order in which they are measured and reported.

A part is a module here with one function, `measure(plan: Plan) -> Answer`. It is imported when it
is asked for, so that what one part needs is not needed by the others.

To add one, write the module and put its name into NAMES. `bench.servers` has the suite on private
servers, `bench.interleaving` the turns; a `Figure` says what is compared and what is wanted, and
`Answer.conditions` whatever a reader must know to trust it. `make bench ONLY=name RUNS=1
HIRES=100000` tries it out; five runs make it count.
"""

from collections.abc import Callable
from importlib import import_module

from bench.part import Answer, Plan

NAMES = (
    *("load", "shapes", "memory", "small", "past"),
    *("storing", "asking", "embedded", "running", "overload"),
)


def find_part(name: str) -> Callable[[Plan], Answer]:
    """What measures the part; raises KeyError for a name that none has."""
    if name not in NAMES:
        raise KeyError(f"no part is called {name!r}: there are {', '.join(NAMES)}")
    measure: Callable[[Plan], Answer] = import_module(f"{__name__}.{name}").measure
    return measure
