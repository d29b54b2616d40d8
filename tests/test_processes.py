"""What a parent reads of its children."""

from __future__ import annotations

import os
import socket

import pytest

from processes.channel import Channel, TimedOut
from processes.frames import HEADER


def frame(content: bytes) -> bytes:
    return HEADER.pack(len(content)) + content


def test_of_frames_that_come_together_none_is_lost() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(ours.fileno(), ours.fileno())
        theirs.sendall(frame(b"ready") + frame(b"ended")[:9])
        assert bytes(channel.exchange(None, 10.0, lambda: None)) == b"ready"
        theirs.sendall(frame(b"ended")[9:])
        theirs.close()
        assert bytes(channel.exchange(b"a request that nobody reads", 10.0, lambda: None)) == b"ended"
        with pytest.raises(EOFError):
            channel.exchange(None, 10.0, lambda: None)


def test_a_frame_that_does_not_come_is_waited_for_no_longer_than_told() -> None:
    reads, writes = os.pipe()
    with pytest.raises(TimedOut):
        Channel(reads, writes).exchange(None, 0.01, lambda: None)
    os.close(reads)
    os.close(writes)
