"""What happens in a run, told to its files and to whoever watches."""

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Watch = Callable[[Mapping[str, Any]], None]
"""Gets each event: a mapping with ``time``, ``event`` and, where it concerns one, ``step``.

Events: ``run_started``, ``stage_started``, ``stage_reused``, ``stage_finished``, ``stage_failed``, ``stage_left_out``,
``run_finished``; these are in ``events.jsonl`` too. ``progress`` (``done``, ``total``) and ``log`` (``level``,
``message``) go to watchers only.
"""

EVENTS = "events.jsonl"
LOG = "log.txt"
_PROGRESS_PAUSE = 0.1
_LOGGER = logging.getLogger("cryoweave.run")


def now() -> str:
    """The time in ISO 8601 with milliseconds and the zone."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")


class Journal:
    """Writes ``events.jsonl`` and tells the watcher.

    Parameters
    ----------
    folder
        The run folder; events are added to those that are there.
    watch
        Gets each event; None if nobody watches.
    """

    def __init__(self, folder: Path, watch: Watch | None) -> None:
        self._path = folder / EVENTS
        self._watch = watch
        self._last = 0.0
        _drop_half_line(self._path)

    def emit(self, event: str, **facts: Any) -> None:
        """Add one event."""
        entry = {"time": now(), "event": event, **facts}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
        _LOGGER.info("%s %s", event, " ".join(f"{name}={value}" for name, value in facts.items()))
        self._tell(entry)

    def progress(self, step: str, done: int, total: int) -> None:
        """Tell the watcher how far a step is, a few times a second."""
        moment = time.monotonic()
        if self._watch is not None and (moment - self._last >= _PROGRESS_PAUSE or done == total):
            self._last = moment
            self._tell({"time": now(), "event": "progress", "step": step, "done": int(done), "total": int(total)})

    def log(self, level: str, message: str) -> None:
        """Tell the watcher a line of the log."""
        self._tell({"time": now(), "event": "log", "level": level, "message": message})

    def _tell(self, entry: Mapping[str, Any]) -> None:
        if self._watch is not None:
            self._watch(entry)


def _drop_half_line(path: Path) -> None:
    """A run that was killed while it wrote may have left half a line."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with path.open("rb+") as stream:
            stream.truncate(len(whole))


class _Teller(logging.Handler):
    def __init__(self, journal: Journal) -> None:
        super().__init__(logging.INFO)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        self._journal.log(record.levelname, record.getMessage())


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def held() -> Iterator[list[logging.LogRecord]]:
    """Keep what is logged before there is a run folder; for :func:`logged`."""
    keeper = _Keeper()
    with _handled(keeper):
        yield keeper.records


@contextmanager
def warned(name: str) -> Iterator[list[str]]:
    """Keep the warnings of one logger below ``cryoweave``, each once, where nobody else listens."""
    keeper, texts = _Keeper(), list[str]()
    logger = logging.getLogger(name)
    logger.addHandler(keeper)
    try:
        yield texts
    finally:
        logger.removeHandler(keeper)
        found = (record.getMessage() for record in keeper.records if record.levelno >= logging.WARNING)
        texts += dict.fromkeys(found)


@contextmanager
def logged(folder: Path, journal: Journal, before: Iterable[logging.LogRecord] = ()) -> Iterator[logging.Logger]:
    """Send the log of cryoweave and of its plugins, and Python's warnings, to ``log.txt`` and the watcher.

    ``before`` is what was logged already.
    """
    to_file = logging.FileHandler(folder / LOG, encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    try:
        with _handled(to_file, _Teller(journal)) as logger:
            for record in before:
                logger.handle(record)
            yield logger
    finally:
        to_file.close()


@contextmanager
def _handled(*handlers: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.getLogger("cryoweave")
    level = logger.level
    logger.setLevel(logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_args, **_more: logger.warning("%s", message)
            yield logger
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
        logger.setLevel(level)
