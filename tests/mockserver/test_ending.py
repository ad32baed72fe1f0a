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

ending.FUSE, ending.LAST, ending.LOOK = 0.6, 0.2, 0.1
busy_until = time.monotonic() + float(sys.argv[1])

def stall(*_):
    time.sleep(float(sys.argv[1]) + 0.3)
    ctypes.PyDLL(None).sleep(60)  # with the interpreter's lock in its hand: no other thread of Python runs

ending.end_surely(lambda: time.monotonic() < busy_until)
signal.signal(signal.SIGTERM, stall)
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


TOLD = """
import signal, sys, time
from mockserver import ending

ending.GRACE, ending.LOOK, ending.ONE_PRESS = float(sys.argv[1]), 0.1, 0.2
ending.end_surely(lambda: True)
if sys.argv[2] == "handled":
    signal.signal(signal.SIGINT, lambda *_: print("told", flush=True))
print("ready", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no masks")
@pytest.mark.parametrize(
    ("grace", "handler", "presses", "said"),
    [(0.5, "handled", 1, b"told\n"), (60.0, "handled", 2, b"told\n"), (60.0, "none", 1, b"")],
    ids=["it took too long", "pressed again", "not begun yet"],
)
def test_a_worker_whose_streams_do_not_end_ends_all_the_same(grace: float, handler: str, presses: int, said: bytes) -> None:
    process = subprocess.Popen([sys.executable, "-c", TOLD, str(grace), handler], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
        time.sleep(0.4)
    out, _ = process.communicate(timeout=20)

    assert (process.returncode, out) == (0, said)


def test_a_flag_is_seen_by_who_waits_and_can_be_taken_down() -> None:
    flag = Flag()
    before = flag.wait(0.01)
    signal.signal(signal.SIGUSR1, lambda *_: flag.set())
    signal.raise_signal(signal.SIGUSR1)
    raised = flag.wait(), flag.is_set()
    flag.clear()

    assert (before, raised, flag.is_set()) == (False, (True, True), False)
