"""Every number that decides about a cause, in bits unless said otherwise.

A law is worth what it predicts, less what has to be said to state it: see `docs/diagnosis.md`. All
laws pay the same price for the same unknown; a price that only one of two rivals pays would decide
between them without any evidence.
"""

from __future__ import annotations

#: One checksum that a law predicts: 16 bits that need not be written down.
OBSERVATION = 16.0
#: Nothing wrong is left over on the path, or in the capture.
NOTHING_LEFT = 12.0
#: A connection whose wrong packets were acknowledged with no right copy seen: nobody verifies here,
#: or the capture was edited. At most so much for all connections.
ANSWERED, MOST_ANSWERED = 3.0, 12.0

# What a cause costs before it is believed: rare causes more than frequent ones.
CLAIMS = {
    "VX101": 6.0,
    "VX102": 6.0,
    "VX601": 6.0,
    "VX602": 8.0,
    "VX908": 8.0,
    "VX106": 10.0,
    "VX301": 10.0,
    "VX103": 12.0,
    "VX104": 12.0,
    "VX105": 12.0,
    "VX302": 12.0,
    "VX603": 12.0,
    "VX204": 14.0,
    "VX205": 14.0,
    "VX206": 14.0,
    "VX303": 14.0,
    "VX304": 14.0,
    "VX306": 14.0,
    "VX305": 16.0,
    "VX501": 16.0,
    "VX504": 16.0,
}
#: All others.
CLAIM = 18.0
#: Edits of the capture: of payload or an IP field, of addresses, of ports or a transport header.
EDIT_PAYLOAD, EDIT_ADDRESS, EDIT_HEADER = 8.0, 10.0, 12.0
#: Another edit of a capture in which one was found, another mapping of a NAT that was found.
FURTHER = 3.0

# Unknowns, written once for the group that shares them.
WORD, OCTET, SIGN = 16.0, 8.0, 1.0
#: A port that Linux gives a tunnel (32768 to 60998), and any other.
PORT_INSIDE, PORT_OUTSIDE = 15.4, 17.6
#: One of n things that were seen costs this and log2(n).
SEEN = 2.0
UNKNOWN_ADDRESS = 19.0
#: Whether an address, or a port, was changed at all.
CHANGED = 1.0
#: A tunnel's port outside of the usual range, where all F others are inside, is worth
#: log2(0.56 (F + 2)).
OUTSIDE_FACTOR, OUTSIDE_OTHERS = 0.56, 2
#: How many segments a superframe had, for each different value.
SEGMENTS = 5.5
#: Which of the kinds of packets are hit.
KINDS = 2.0
#: Which bit of a word was flipped, and whether it was set or cleared.
SINGLE_BIT = 5.0
#: Residuals that octets leave that changed places within a word: the multiples of 255.
EXCHANGES = 257
#: VX101 and VX103 need a tunnel that sends no checksum, VX102, VX104 and VX106 one that sends them:
#: what it costs where the packets of the path say otherwise.
OTHER_TUNNEL = 10.0
#: Damage leaves another value in each packet: each that differs speaks for it.
VARIED = 2.0

#: Which are hit: the parameter of the Beta code. All or none costs about one bit.
BETA = 0.1
#: Rates of damage, as shares of all frames; each is as likely on a logarithmic scale.
LEAST_DAMAGE, MOST_DAMAGE = 1e-5, 0.2
#: Of the packets that an edit is about, so many may have kept their checksum.
MOST_SPARED = 0.5

#: What an accepted law explains at a loss below this, it keeps.
KEPT_AT_A_LOSS = 2.0
#: Margins, in bits, from which a cause is likely, and confirmed.
LIKELY, CONFIRMED = 7.0, 20.0

#: Source ports that Linux gives a tunnel: udp_flow_src_port() within ip_local_port_range.
TUNNEL_PORTS = range(32768, 60999)
#: So many right ports show which range a sender takes, where it is another one.
MANY_PORTS = 20
#: Of the residuals of damaged packets, so many differ, as a share of what chance would give.
MOSTLY_DIFFERENT = 0.5
#: A wrong packet that comes again in the same way was not damaged twice; at most so much in all.
AGAIN, MOST_AGAIN = 4.0, 12.0
#: An edit that shows in one direction only: packets of the other are right, or none was seen.
ONE_WAY, NO_WAY_BACK = 8.0, 5.0
#: So many wrong checksums of a path, for one of them to be its pseudo-header sum by chance.
CHANCE_OF_PARTIAL = 2000
#: A step by which something was renumbered: this, and two bits for each digit of its size.
SMALL_STEP = 2.0
#: The most that a cause is worth in a capture that was edited.
BELOW_LIKELY = 6.9

# What is counted before it is told, and what is scored.
#: Pauses that differ by less than this factor count as the same.
SAME_PAUSE = 1.3
#: Of the attempts that failed, a cause has to explain this share.
MIN_SHARE_OF_ATTEMPTS = 0.5
#: The weight of the second way to read a row: the first is preferred.
OTHER_READING = 0.99
#: Of a path with more wrong observations, about so many are scored; what wins is applied to all.
SCORED = 1024
#: Flows of a path that are scored at least.
MIN_FLOWS = 128
#: A network of more addresses solves too many sums for a solution to say anything.
TELLING = 4096
#: The octet at the end, less the bit that says that the length is odd.
LAST_OCTET = 7.0
#: Octets that no offload cuts and no limit of a switch stops.
LARGE = 500
#: Single zeros come from test tools, and from senders that do not turn a computed 0 into 0xffff.
MANY_ZEROS = 2
#: For so many right checksums, one may be 0 by damage.
ZERO_BY_DAMAGE = 5
#: Echo requests without an answer from which on that is told.
MIN_REQUESTS = 3
#: A single flag may be damage; those who use the extension set it in all packets with payload.
MANY_FLAGS = 2
#: So large a share of the unfinished checksums has the flag where it is used.
MIN_SHARE_OF_FLAGS = 0.1
#: Copies of a packet pass the interfaces of one host within this time, in nanoseconds.
COPIES_WITHIN = 50_000_000
