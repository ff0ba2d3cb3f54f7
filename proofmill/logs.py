"""Structured logs on standard error: JSON for machines, coloured lines for people."""

import logging
import sys

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Logger = FilteringBoundLogger


def configure_logs(*, level: str, log_format: str) -> None:
    """Set up structlog for the process. `log_format` is ``json`` or ``console``."""
    renderer: Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get_logger(**context: object) -> Logger:
    """A logger that carries `context` in every line."""
    logger: Logger = structlog.get_logger(**context)
    return logger
