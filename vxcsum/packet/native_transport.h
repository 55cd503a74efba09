/* TCP, UDP and ICMP headers: the twin of vxcsum.packet.transport, which names the sources. */
#ifndef VXCSUM_NATIVE_TRANSPORT_H
#define VXCSUM_NATIVE_TRANSPORT_H

#include "native_ip.h"

enum { PORT_SRC = 0, PORT_DST = 2, PORTS = 4 };
enum {
    TCP_SEQ = 4,
    TCP_ACK = 8,
    TCP_DATA_OFFSET = 12,
    TCP_FLAGS = 13,
    TCP_CHECKSUM = 16,
    TCP_HEADER = 20
};
enum { UDP_LENGTH = 4, UDP_CHECKSUM = 6, UDP_HEADER = 8 };
enum { ICMP_TYPE = 0, ICMP_CHECKSUM = 2, ICMP_IDENT = 4, ICMP_HEADER = 4 };

/* A transport header; `coverage` ABSENT where there is none to verify. */
struct transport {
    int64_t length; /* octets the checksum covers */
    int64_t stop;   /* where its sum ends, of what was captured */
    uint32_t tcp_seq, tcp_ack;
    uint16_t found, pseudo, sport, dport;
    uint8_t tcp_flags, tcp_header_length;
    enum coverage coverage;
};

INLINE void clear_transport(struct transport *l4)
{
    l4->length = l4->stop = 0;
    l4->tcp_seq = l4->tcp_ack = 0;
    l4->found = l4->pseudo = l4->sport = l4->dport = 0;
    l4->tcp_flags = l4->tcp_header_length = 0;
    l4->coverage = ABSENT;
}

INLINE bool has_checksum(const struct ip *ip)
{
    return ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP ||
           (ip->protocol == IPPROTO_ICMP && ip->version == 4) ||
           (ip->protocol == IPPROTO_ICMPV6 && ip->version == 6);
}

INLINE void read_transport_fields(
    const uint8_t *header, uint8_t protocol, int64_t captured, struct transport *l4)
{
    const bool icmp = protocol != IPPROTO_TCP && protocol != IPPROTO_UDP;
    if (captured >= PORTS)
        l4->sport = be16(header + PORT_SRC); /* ICMP: type and code */
    if (captured >= PORTS && !icmp)
        l4->dport = be16(header + PORT_DST);
    if (captured >= ICMP_IDENT + 2 && icmp)
        l4->dport = be16(header + ICMP_IDENT);
    if (captured > TCP_FLAGS && protocol == IPPROTO_TCP) {
        l4->tcp_flags = header[TCP_FLAGS];
        l4->tcp_seq = be32(header + TCP_SEQ);
        l4->tcp_ack = be32(header + TCP_ACK);
        l4->tcp_header_length = (uint8_t)(header[TCP_DATA_OFFSET] >> 4 << 2);
    }
}

/* `spill`: missing octets are in other fragments of the packet that encloses this one. */
INLINE void read_transport(
    const uint8_t *octets, const struct ip *ip, int64_t end, bool spill, struct transport *l4)
{
    clear_transport(l4);
    if (!ip->known || ip->fragment_offset != 0 || !has_checksum(ip))
        return;
    const uint8_t *header = octets + ip->payload;
    const int64_t captured = end - ip->payload, payload = ip->stop - ip->payload;
    const bool tcp = ip->protocol == IPPROTO_TCP, udp = ip->protocol == IPPROTO_UDP;
    const int64_t shortest = tcp ? TCP_HEADER : udp ? UDP_HEADER : ICMP_HEADER;
    const int64_t field = tcp ? TCP_CHECKSUM : udp ? UDP_CHECKSUM : ICMP_CHECKSUM;
    const bool has_field = captured >= field + 2;
    const bool fragment = ip->more;

    bool bad = ip->malformed || (payload < shortest && !fragment);
    l4->length = payload;
    if (udp && captured >= UDP_LENGTH + 2) {
        const int64_t told = be16(header + UDP_LENGTH);
        if (!(ip->jumbo && told == 0)) {
            l4->length = told;
            if (has_field && (told < UDP_HEADER || (told > payload && !fragment)))
                bad = true;
        }
    }
    const bool cut = ip->payload + (fragment ? payload : l4->length) > end;
    /* The header itself may be split over fragments; the sum of all tells even so. */
    if (!bad && (fragment || cut) && (spill || !cut))
        l4->coverage = FRAGMENT;
    else if (!has_field)
        l4->coverage = bad ? FIELDLESS : FIELD_CUT;
    else if (bad)
        l4->coverage = MALFORMED;
    else
        l4->coverage = cut ? TRUNCATED : COMPLETE;

    if (has_field)
        l4->found = be16(header + field);
    if (ip->protocol != IPPROTO_ICMP) {
        /* A first fragment does not tell how long its datagram is; only UDP says so itself. */
        const int64_t told = udp || !fragment ? l4->length : 0;
        l4->pseudo = fold(network_order(ip->address_sum) + (uint64_t)(ip->protocol + told));
    }
    l4->stop = most(least(ip->payload + l4->length, end), ip->payload);
    read_transport_fields(header, ip->protocol, captured, l4);
}

#endif
