"""A process that was told to end, and whose threads wait for each other."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from mockserver.ending import Flag

STALLED = """
import ctypes, signal, sys, time
from mockserver import ending

ending.FUSE, ending.LOOK = 0.4, 0.1
busy_until = time.monotonic() + float(sys.argv[1])

def stall(*_):
    time.sleep(float(sys.argv[1]) + 0.3)
    ctypes.PyDLL(None).sleep(60)  # with the interpreter's lock in its hand: no other thread of Python runs

signal.signal(signal.SIGTERM, stall)
ending.end_surely(lambda: time.monotonic() < busy_until)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no alarm")
@pytest.mark.parametrize("busy", [0.0, 1.5])
def test_a_stalled_worker_is_ended_by_the_system_once_nothing_is_open(busy: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", STALLED, str(busy)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == -signal.SIGALRM
    assert time.monotonic() - told > busy


def test_a_flag_is_seen_by_who_waits_and_can_be_taken_down() -> None:
    flag = Flag()
    before = flag.wait(0.01)
    signal.signal(signal.SIGUSR1, lambda *_: flag.set())
    signal.raise_signal(signal.SIGUSR1)
    raised = flag.wait(), flag.is_set()
    flag.clear()

    assert (before, raised, flag.is_set()) == (False, (True, True), False)
