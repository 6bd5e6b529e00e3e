"""One JSON object a log line, on standard error, the same shape in every service."""

import logging
import os
from functools import cache
from typing import TextIO, cast

import structlog

from muster.observability.log_file import LogFile, LogFileSettings, LogStream
from muster.observability.spans import trace_id

# Never the local variables: passwords and tokens are among them.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logging(service: str, level: str) -> None:
    """Send structlog's and the standard library's records to standard error as JSON.

    `service` is in every line; `level` is a standard level name, such as INFO.
    """
    structlog.configure(
        processors=[*_shared(), *_rendering(service)],
        # Not through the standard library, whose threads put their lines together one at a time.
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Tests configure logging anew: a logger must not keep what it saw first.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_stream())
    handler.setFormatter(json_lines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def console_handler() -> logging.Handler:
    """A handler that writes where the service's lines go."""
    return logging.StreamHandler(_stream())


# Once in a process: its settings don't change while it runs, and one stream has one lock.
@cache
def _stream() -> TextIO:
    _occupy_closed_streams()
    settings = LogFileSettings()
    if settings.log_file is None:
        return cast(TextIO, LogStream())
    return cast(TextIO, LogFile(settings.log_file, settings.log_bytes, settings.log_files))


def _occupy_closed_streams() -> None:
    """Have no file or socket opened as 0, 1 or 2 where those are closed: the log would go there."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest number that is free.
            os.open(os.devnull, os.O_RDWR)


def json_lines(service: str) -> logging.Formatter:
    """What makes a JSON object of each record of the standard library."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_rendering(service),
        ],
    )


class _Lines(structlog.WriteLogger):
    """Writes to standard error, for the logger called `name`."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(_stream())
        self.name = name


def _shared() -> list[structlog.types.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _name_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _rendering(service: str) -> list[structlog.types.Processor]:
    return [_name_service(service), _TRACEBACKS, structlog.processors.JSONRenderer()]


def _name_trace(
    _logger: structlog.types.WrappedLogger, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    recorded = trace_id()
    if recorded is not None:
        event["trace_id"] = recorded
    return event


def _name_service(service: str) -> structlog.types.Processor:
    def add(
        _logger: structlog.types.WrappedLogger, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        event["service"] = service
        return event

    return add
