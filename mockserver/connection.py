"""The connection that a request came on, ended the hard way: with a reset, as a server that crashes or a firewall does."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from mockserver.scenario.network_faults import ResetError

FOLDER = "/dev/fd"
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: what is not sent yet is thrown away when the socket is closed, and the other side gets a reset."""


def breaking(pieces: Iterator[bytes], environ: Mapping[str, Any]) -> Iterator[bytes]:
    """``pieces``; where a fault asks for a reset, the connection gets one when the server drops it."""
    try:
        yield from pieces
    except ResetError:
        reset_when_closed(environ)
        raise


def reset_when_closed(environ: Mapping[str, Any]) -> None:
    """Mark the connection of a request, so that closing it resets it. Without a socket, in process, there is nothing to mark.

    WSGI hands no socket out, so it is found by its other end. granian does not tell the port of that end: there all connections of
    the same client to this server are marked, which those notice only that are closed before all they were sent has arrived.
    """
    for descriptor in _descriptors():
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as one:
            if one.type == socket.SOCK_STREAM and one.family in (socket.AF_INET, socket.AF_INET6) and _is_of(environ, one):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what was written so far goes out first
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)


def is_marked(one: socket.socket) -> bool:
    return one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(AT_ONCE)) == AT_ONCE


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir(FOLDER)]
    except OSError:  # no such folder on this system
        return []


def _is_of(environ: Mapping[str, Any], one: socket.socket) -> bool:
    host, port = one.getpeername()[:2]
    wanted = environ.get("REMOTE_PORT")
    return (
        host == environ.get("REMOTE_ADDR")
        and (wanted is None or port == int(wanted))
        and str(one.getsockname()[1]) == str(environ.get("SERVER_PORT"))
    )
