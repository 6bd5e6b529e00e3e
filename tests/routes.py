"""Routes compiled once a process: hundreds of tests make the same apps, mostly by that."""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

_Builder = Callable[..., tuple[str, str]]
_compile = Rule._compile_builder
_BUILDERS: dict[Any, _Builder] = {}


def _compile_once(rule: Rule, append_unknown: bool = True) -> _Builder:
    """As Werkzeug's: what it makes names nothing of the rule but its converters, when it runs."""
    if rule.defaults:
        return _compile(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _BUILDERS:
        _BUILDERS[key] = _compile(rule, append_unknown)
    return _BUILDERS[key]


def compile_once() -> None:
    """Have each route of this process compiled once, for whatever app it is made anew."""
    Rule._compile_builder = _compile_once  # type: ignore[assignment, method-assign]
