"""Healthy traffic between the pods of two nodes."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Any

from vxcsum.synth.packet import ACK, ARP, FIN, ICMP, ICMPV6, PSH, SYN, TCP, UDP, Packet, ip
from vxcsum.synth.sums import right

if TYPE_CHECKING:
    from vxcsum.synth.sums import Routine


class Traffic:
    """Healthy traffic between the pods of two nodes, in both directions."""

    def __init__(
        self,
        seed: int,
        *,
        outer: Routine = right,
        version: int = 4,
        outer_version: int = 4,
        dport: int = 4789,
        vni: int = 4096,
        nodes: tuple[str, str] | None = None,
        pods: tuple[str, str] | None = None,
        parity: int | None = None,
        rounds: int = 2,
    ) -> None:
        self.rng = random.Random(seed)
        self.outer, self.dport, self.vni = outer, dport, vni
        self.parity = parity
        near = (
            ("192.0.2.11", "192.0.2.12") if outer_version == 4 else ("2001:db8::11", "2001:db8::12")
        )
        self.node_a, self.node_b = (ip(n) for n in nodes or near)
        far = ("10.244.1.5", "10.244.2.9") if version == 4 else ("fd00:10:1::5", "fd00:10:2::9")
        self.pod_a, self.pod_b = (ip(n) for n in pods or far)
        self.ports: dict[tuple[bytes, ...], int] = {}
        self.time = 0.0
        self.ident = self.rng.randrange(1, 30000)
        self.packets: list[Packet] = []
        self.rounds = rounds

    def random(self, size: int) -> bytes:
        """Return random octets."""
        return self.rng.randbytes(size)

    def size(self, low: int, high: int) -> int:
        """Return a random size, of the wanted parity."""
        size = self.rng.randrange(low, high)
        return size if self.parity is None else size - size % 2 + self.parity

    def send(
        self, protocol: int, segment: bytes, *, back: bool = False, wait: float = 0.0, **more: Any
    ) -> Packet:
        """Add a packet from pod A to pod B, or ``back``."""
        src, dst = (self.pod_b, self.pod_a) if back else (self.pod_a, self.pod_b)
        ends = (self.node_b, self.node_a) if back else (self.node_a, self.node_b)
        flow = (src, dst, bytes([protocol]), segment[:4] if protocol in (TCP, UDP) else b"")
        sport = self.ports.setdefault(flow, self.rng.randrange(32768, 60999))
        self.time += wait or self.rng.uniform(0.0002, 0.004)
        self.ident = self.ident % 65000 + 1
        p = Packet(
            src,
            dst,
            protocol,
            segment,
            *ends,
            sport=sport,
            time=self.time,
            ident=self.ident,
            outer=self.outer,
            dport=self.dport,
            vni=self.vni,
        )
        p = p.but(**more)
        self.packets.append(p)
        return p

    def tcp(
        self,
        sport: int,
        dport: int,
        flags: int,
        payload: bytes = b"",
        *,
        seq: int = 1,
        ack: int = 7,
        **more: Any,
    ) -> Packet:
        """Add a TCP segment."""
        if more.get("back"):
            sport, dport = dport, sport
        head = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 502, 0, 0)
        return self.send(TCP, head + payload, **more)

    def udp(self, sport: int, dport: int, payload: bytes, **more: Any) -> Packet:
        """Add a UDP datagram."""
        if more.get("back"):
            sport, dport = dport, sport
        head = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
        return self.send(UDP, head + payload, **more)

    def echo(self, ident: int, seq: int, payload: bytes, **more: Any) -> Packet:
        """Add an echo request, or the reply to one."""
        four = len(self.pod_a) == 4
        kind = (0 if more.get("back") else 8) if four else (129 if more.get("back") else 128)
        head = struct.pack(">BBHHH", kind, 0, 0, ident, seq)
        return self.send(ICMP if four else ICMPV6, head + payload, **more)

    def arp(self) -> None:
        """Add an ARP request and its reply."""
        if len(self.pod_a) == 4:
            for kind, back in ((1, False), (2, True)):
                ends = (self.pod_b, self.pod_a) if back else (self.pod_a, self.pod_b)
                body = struct.pack(
                    ">HHBBH6s4s6s4s", 1, 0x800, 6, 4, kind, b"\x0aX", ends[0], b"", ends[1]
                )
                self.send(ARP, body, back=back)

    def ping(self, count: int = 2, *, size: int | None = None, answered: bool = True) -> None:
        """Add echo requests and their replies."""
        ident = self.rng.randrange(1, 65536)
        for seq in range(1, count + 1):
            payload = self.random(self.size(20, 64) if size is None else size)
            self.echo(ident, seq, payload)
            if answered:
                self.echo(ident, seq, payload, back=True)

    def connection(self, exchanges: int = 2, *, low: int = 5, high: int = 70) -> None:
        """Add a TCP connection: handshake, requests and answers, end."""
        ports = (self.rng.randrange(32768, 60999), self.rng.choice((80, 443, 8080)))
        seq, ack = self.rng.randrange(1 << 31), self.rng.randrange(1 << 31)
        self.tcp(*ports, SYN, seq=seq)
        self.tcp(*ports, SYN | ACK, seq=ack, back=True)
        self.tcp(*ports, ACK, seq=seq + 1)
        for _ in range(exchanges):
            for back in (False, True):
                payload = self.random(self.size(low, high))
                self.tcp(*ports, PSH | ACK, payload, seq=ack if back else seq, back=back)
                seq, ack = seq + (not back) * len(payload), ack + back * len(payload)
            self.tcp(*ports, ACK, seq=seq + 1)
        self.tcp(*ports, FIN | ACK, seq=seq + 1)

    def dialogue(self, exchanges: int = 3) -> tuple[int, int, int]:
        """Add a TCP connection to port 443 that stays open, and whose acknowledgements fit.

        Returns
        -------
        port : int
            Of pod A.
        seq, answered : int
            The next sequence numbers of pod A and of pod B.
        """
        port = self.rng.randrange(32768, 60999)
        seq, answered = self.rng.randrange(1 << 31), self.rng.randrange(1 << 31)
        self.tcp(port, 443, SYN, seq=seq, ack=0)
        seq += 1
        self.tcp(port, 443, SYN | ACK, seq=answered, ack=seq, back=True)
        answered += 1
        self.tcp(port, 443, ACK, seq=seq, ack=answered)
        for _ in range(exchanges):
            request, answer = self.random(self.size(20, 90)), self.random(self.size(20, 90))
            self.tcp(port, 443, PSH | ACK, request, seq=seq, ack=answered)
            seq += len(request)
            self.tcp(port, 443, PSH | ACK, answer, seq=answered, ack=seq, back=True)
            answered += len(answer)
            self.tcp(port, 443, ACK, seq=seq, ack=answered)
        return port, seq, answered

    def dns(self, count: int = 2) -> None:
        """Add questions and answers over UDP."""
        for _ in range(count):
            port = self.rng.randrange(32768, 60999)
            self.udp(port, 53, self.random(self.size(25, 60)))
            self.udp(port, 53, self.random(self.size(40, 70)), back=True)

    def everything(self) -> Traffic:
        """Add all kinds of traffic, ``rounds`` times."""
        self.arp()
        for _ in range(self.rounds):
            self.ping(1)
            self.connection()
            self.dns(1)
        return self

    def syns(self, count: int, *, gap: float = 1.0) -> list[Packet]:
        """Add one SYN and its retransmissions."""
        ports, seq = (self.rng.randrange(32768, 60999), 443), self.rng.randrange(1 << 31)
        return [self.tcp(*ports, SYN, seq=seq, wait=gap) for _ in range(count)]
