"""Structured logs: one event a line, as JSON, rotated; never a secret."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

import structlog

FILE_NAME = "control-plane.log"
_MAX_BYTES = 10 * 1024 * 1024
_KEPT_FILES = 5


def configure_logs(folder: Path, level: str) -> None:
    """Write to ``control-plane.log`` in the folder; libraries from WARNING up."""
    handler = logging.handlers.RotatingFileHandler(
        folder / FILE_NAME, maxBytes=_MAX_BYTES, backupCount=_KEPT_FILES
    )
    (folder / FILE_NAME).chmod(0o600)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_ENRICH,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("poolkeeper").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_ENRICH,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


# No filter here: records of libraries come through it, too, and have no structlog logger.
_ENRICH: list[structlog.typing.Processor] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
