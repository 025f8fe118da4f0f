"""The login that brokers ask for (SASL), spoken on the wire in front of a broker that keeps no passwords.

Frames: https://kafka.apache.org/protocol#sasl_handshake; PLAIN: RFC 4616; SCRAM: RFC 5802 (read 2026-11).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import struct
from base64 import b64decode, b64encode
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 17, 18, 36
UNSUPPORTED_SASL_MECHANISM, SASL_AUTHENTICATION_FAILED = 33, 58
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
ITERATIONS = 4096

Exchange = Generator[bytes, bytes, bytes]
"""Is sent what the client says, yields what the server answers, and returns the last answer to whoever is right."""


class Refused(Exception):
    """The client is not who it says."""


class Stream(NamedTuple):
    """One connection, read and written in frames: four bytes of length, then so many bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def take(self) -> bytes:
        size = int.from_bytes(await self.reader.readexactly(4))
        return await self.reader.readexactly(size)

    async def give(self, frame: bytes) -> None:
        self.writer.write(len(frame).to_bytes(4) + frame)
        await self.writer.drain()


@dataclass
class Login:
    """Who may log in, and by which mechanisms. `admitted` and `refused` tell how each client tried."""

    users: dict[str, str]
    mechanisms: tuple[str, ...] = MECHANISMS
    admitted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def admits(self, near: Stream, far: Stream) -> bool:
        """Whether this client logged in. Until it has, the broker behind is asked for nothing but its versions."""
        mechanism, exchange = "none", None
        while True:
            request = await near.take()
            key, version, number, length = struct.unpack_from(">hhih", request)
            said = request[10 + max(length, 0) :]  # after the client's name
            head = struct.pack(">i", number)
            if key == API_VERSIONS:
                await far.give(request)
                await near.give(await far.take())
            elif key == SASL_HANDSHAKE:
                mechanism = said[2:].decode()
                exchange = _begun(mechanism, self.users) if mechanism in self.mechanisms else None
                error = UNSUPPORTED_SASL_MECHANISM if exchange is None else 0
                names = b"".join(map(_text, self.mechanisms))
                await near.give(head + struct.pack(">hi", error, len(self.mechanisms)) + names)
            elif key == SASL_AUTHENTICATE and exchange is not None:
                lifetime = bytes(8) if version else b""
                try:
                    answer = exchange.send(said[4:])
                except StopIteration as end:
                    await near.give(head + struct.pack(">hhi", 0, -1, len(end.value)) + end.value + lifetime)
                    self.admitted.append(mechanism)
                    return True
                except Refused:
                    words = _text("Authentication failed: Invalid username or password")
                    await near.give(head + struct.pack(">h", SASL_AUTHENTICATION_FAILED) + words + bytes(4) + lifetime)
                    break
                await near.give(head + struct.pack(">hhi", 0, -1, len(answer)) + answer + lifetime)
            else:
                break  # brokers hang up on whoever asks for something without having logged in
        self.refused.append(mechanism)
        return False


def _begun(mechanism: str, users: Mapping[str, str]) -> Exchange:
    exchange = (
        _plain(users) if mechanism == "PLAIN" else _scram(users, mechanism.removeprefix("SCRAM-").replace("-", ""))
    )
    next(exchange)
    return exchange


def _plain(users: Mapping[str, str]) -> Exchange:
    _, user, password = (yield b"").split(b"\0")
    if users.get(user.decode()) != password.decode():
        raise Refused
    return b""


def _scram(users: Mapping[str, str], name: str) -> Exchange:
    """`name` is that of the hash, such as SHA256. The names of attributes are the RFC's."""
    first = (yield b"").decode().split(",", 2)[2]
    asked = _attributes(first)
    salt, nonce = os.urandom(16), asked["r"] + os.urandom(12).hex()
    second = f"r={nonce},s={b64encode(salt).decode()},i={ITERATIONS}"
    last = (yield second.encode()).decode()
    said = _attributes(last)

    salted = hashlib.pbkdf2_hmac(name, users.get(asked["n"], "").encode(), salt, ITERATIONS)
    client_key, server_key = (hmac.digest(salted, text, name) for text in (b"Client Key", b"Server Key"))
    everything = ",".join([first, second, last.rpartition(",p=")[0]]).encode()
    signature = hmac.digest(hashlib.new(name, client_key).digest(), everything, name)
    proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    if asked["n"] not in users or said["r"] != nonce or not hmac.compare_digest(b64decode(said["p"]), proof):
        raise Refused
    return b"v=" + b64encode(hmac.digest(server_key, everything, name))


def _attributes(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(","))  # type: ignore[misc]


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
