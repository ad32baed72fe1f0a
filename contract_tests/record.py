"""The record of a run: every exchange as one JSON line, without secrets. Judges nothing."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from contract_tests.exchange import Exchange, to_json
from spec.secrets import Masker


class Record:
    """A file of exchanges. Where no more can be written it ends with the last whole line, and ``ended`` says why.

    Raises OSError when the file cannot be opened.
    """

    def __init__(self, file: Path, masker: Masker) -> None:
        self.ended = ""
        self._file = file
        self._masker = masker
        self._sink = file.open("wb", buffering=0)
        self._lines = 0
        self._lock = threading.Lock()

    def write(self, exchange: Exchange) -> None:
        data = f"{to_json(exchange, self._masker)}\n".encode("ascii")
        with self._lock:
            if not self.ended:
                self._append(data)

    def _append(self, data: bytes) -> None:
        start = self._sink.tell()
        try:
            written = self._sink.write(data)
            if written < len(data):  # a disk that is almost full takes what it can
                self._sink.write(data[written:])
            self._lines += 1
        except OSError as error:
            with suppress(OSError):
                self._sink.truncate(start)
            self.ended = f"the record {self._file} ends after {self._lines} exchanges: {error.strerror or error}"

    def close(self) -> None:
        self._sink.close()
