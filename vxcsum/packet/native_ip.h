/* IPv4 and IPv6: the twin of vxcsum.packet.ip, which names the sources. */
#ifndef VXCSUM_NATIVE_IP_H
#define VXCSUM_NATIVE_IP_H

#include "native_link.h"

enum {
    IPPROTO_HOPOPTS = 0,
    IPPROTO_ICMP = 1,
    IPPROTO_TCP = 6,
    IPPROTO_UDP = 17,
    IPPROTO_ROUTING = 43,
    IPPROTO_FRAGMENT = 44,
    IPPROTO_AH = 51,
    IPPROTO_ICMPV6 = 58,
    IPPROTO_NONE = 59,
    IPPROTO_DSTOPTS = 60,
    IPPROTO_MOBILITY = 135,
    IPPROTO_HIP = 139,
    IPPROTO_SHIM6 = 140
};
enum {
    IPV4_LENGTH = 2,
    IPV4_IDENT = 4,
    IPV4_FLAGS = 6,
    IPV4_TTL = 8,
    IPV4_PROTOCOL = 9,
    IPV4_CHECKSUM = 10,
    IPV4_SRC = 12,
    IPV4_DST = 16,
    IPV4_HEADER = 20,
    IPV4_ADDRESS = 4
};
enum { IPV4_MORE = 0x2000, IPV4_OFFSET = 0x1fff };
enum { OPTION_LAST = 0, OPTION_NOTHING = 1, LOOSE_ROUTE = 131, STRICT_ROUTE = 137 };
enum {
    IPV6_LENGTH = 4,
    IPV6_NEXT = 6,
    IPV6_HOPS = 7,
    IPV6_SRC = 8,
    IPV6_DST = 24,
    IPV6_HEADER = 40,
    IPV6_ADDRESS = 16
};
/* of an extension header */
enum { EXTENSION_NEXT = 0, EXTENSION_LENGTH = 1, EXTENSION_LEAST = 8, MAX_EXTENSION_HEADERS = 256 };
enum { JUMBO_OPTION = 2, JUMBO_OPTION_HEAD = 0xc204, JUMBO_LENGTH = 4 };
enum { ROUTING_TYPE = 2, ROUTING_LEFT = 3, ROUTING_LIST = 8 };
enum { ROUTING_SOURCE = 0, ROUTING_HOME_ADDRESS = 2, ROUTING_SEGMENTS = 4 };
enum { PIECE_OFFSET = 2, PIECE_IDENT = 4, PIECE_OFFSET_MASK = 0xfff8, PIECE_MORE = 1 };

static const uint64_t IPV4_MAPPED = 0xffff00000000;

/* What an IP header says; `version` 0 where there is none. */
struct ip {
    const uint8_t *src, *dst; /* where its addresses are, NULL where not captured */
    int64_t length;           /* header and payload */
    int64_t payload;          /* where the transport header starts */
    int64_t stop;             /* first octet behind the payload, by the length fields */
    int64_t fragment_offset;
    word_sum address_sum; /* of the pseudo-header's addresses */
    uint32_t ident;
    uint16_t found, residual;
    uint8_t version, ttl, protocol;
    enum coverage coverage;
    bool known;     /* the whole chain of headers was captured and makes sense */
    bool malformed; /* the payload does not fit into what encloses it */
    bool jumbo;     /* a length field of 0 */
    bool more;
};

/* Field by field, because compilers clear a structure of this size with a slow string operation. */
INLINE void clear_ip(struct ip *ip)
{
    ip->src = ip->dst = NULL;
    ip->length = ip->payload = ip->stop = ip->fragment_offset = 0;
    ip->address_sum = 0;
    ip->ident = 0;
    ip->found = ip->residual = 0;
    ip->version = ip->ttl = ip->protocol = 0;
    ip->coverage = ABSENT;
    ip->known = ip->malformed = ip->jumbo = ip->more = false;
}

/* An atomic fragment (RFC 6946) is none. */
INLINE bool is_fragment(const struct ip *ip)
{
    return ip->more || ip->fragment_offset > 0;
}

/* Return the place of the final destination of a source route that is not used up, else NULL. */
static const uint8_t *find_source_route(const uint8_t *option, const uint8_t *end)
{
    while (option < end && *option != OPTION_LAST) {
        if (*option == OPTION_NOTHING) {
            option++;
            continue;
        }
        const int64_t left = end - option;
        const int64_t length = left > 1 ? option[1] : 0;
        if (length < 2 || length > left)
            break;
        const bool route = *option == LOOSE_ROUTE || *option == STRICT_ROUTE;
        /* The pointer counts from 1 at the option's type; past the end, the route is used up. */
        if (route && length >= 7 && option[2] < length)
            return option + length - IPV4_ADDRESS;
        option += length;
    }
    return NULL;
}

INLINE enum coverage ipv4_coverage(int64_t room, int64_t wire, int64_t header_length)
{
    const bool field = room >= IPV4_CHECKSUM + 2;
    const int64_t wanted = most(header_length, IPV4_HEADER);
    if (wire < wanted || (room >= IPV4_HEADER && header_length < IPV4_HEADER))
        return field ? MALFORMED : FIELDLESS;
    if (room >= wanted)
        return COMPLETE;
    return field ? TRUNCATED : FIELD_CUT;
}

INLINE void read_ipv4(
    const uint8_t *octets, int64_t position, int64_t end, int64_t limit, struct ip *ip)
{
    const uint8_t *header = octets + position;
    const int64_t room = end - position, wire = limit - position;
    const int64_t header_length = (header[0] & 15) << 2;
    ip->version = 4;
    ip->coverage = ipv4_coverage(room, wire, header_length);
    if (room >= IPV4_CHECKSUM + 2)
        ip->found = be16(header + IPV4_CHECKSUM);
    if (room < IPV4_HEADER)
        return;

    const uint16_t flags = be16(header + IPV4_FLAGS);
    int64_t total = be16(header + IPV4_LENGTH);
    ip->jumbo = total == 0;
    if (ip->jumbo)
        total = wire;
    ip->known = ip->coverage == COMPLETE;
    ip->length = total;
    ip->protocol = header[IPV4_PROTOCOL];
    ip->ttl = header[IPV4_TTL];
    ip->ident = be16(header + IPV4_IDENT);
    ip->fragment_offset = (flags & IPV4_OFFSET) << 3;
    ip->more = (flags & IPV4_MORE) != 0;
    ip->payload = position + header_length;
    ip->stop = most(position + total, ip->payload);
    ip->src = header + IPV4_SRC;
    ip->dst = header + IPV4_DST;
    if (!ip->known)
        return;
    if (total < header_length || total > wire)
        ip->malformed = true;

    const word_sum addresses = sum_few(header + IPV4_SRC, 2 * IPV4_ADDRESS);
    const word_sum rest = sum_few(header, IPV4_SRC);
    ip->address_sum = addresses;
    if (header_length == IPV4_HEADER) {
        ip->residual = network_order(addresses + rest);
        return;
    }
    const word_sum options = sum_octets(header + IPV4_HEADER, header_length - IPV4_HEADER);
    ip->residual = network_order(addresses + rest + options);
    const uint8_t *last = find_source_route(header + IPV4_HEADER, header + header_length);
    if (last != NULL)
        ip->address_sum =
            sum_octets(header + IPV4_SRC, IPV4_ADDRESS) + sum_octets(last, IPV4_ADDRESS);
}

INLINE bool is_extension(uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_FRAGMENT:
    case IPPROTO_AH:
    case IPPROTO_DSTOPTS:
    case IPPROTO_MOBILITY:
    case IPPROTO_HIP:
    case IPPROTO_SHIM6:
        return true;
    default:
        return false;
    }
}

INLINE int64_t extension_length(uint8_t kind, const uint8_t *header)
{
    if (kind == IPPROTO_FRAGMENT)
        return EXTENSION_LEAST;
    if (kind == IPPROTO_AH)
        return (header[EXTENSION_LENGTH] + 2) << 2;
    return (header[EXTENSION_LENGTH] + 1) << 3;
}

/* Return the place of the final destination in a routing header, NULL where it is used up. */
INLINE const uint8_t *find_final_destination(const uint8_t *header)
{
    const int entries = header[EXTENSION_LENGTH] >> 1;
    if (header[ROUTING_LEFT] == 0 || entries == 0)
        return NULL;
    switch (header[ROUTING_TYPE]) {
    case ROUTING_SOURCE:
        return header + ROUTING_LIST + (entries - 1) * IPV6_ADDRESS;
    case ROUTING_HOME_ADDRESS:
    case ROUTING_SEGMENTS: /* in reverse order */
        return header + ROUTING_LIST;
    default:
        return NULL;
    }
}

/* Step over extension headers; `protocol` becomes the upper-layer one. */
NOINLINE static void step_over_extensions(const uint8_t *octets, int64_t end, struct ip *ip)
{
    for (int headers = 0; is_extension(ip->protocol); headers++) {
        const uint8_t *header = octets + ip->payload;
        const uint8_t kind = ip->protocol;
        const int64_t left = end - ip->payload;
        if (left < EXTENSION_LEAST || left < extension_length(kind, header) ||
            headers == MAX_EXTENSION_HEADERS) {
            ip->known = false;
            return;
        }
        if (kind == IPPROTO_HOPOPTS && ip->jumbo && be16(header + JUMBO_OPTION) == JUMBO_OPTION_HEAD)
            ip->stop = ip->payload + be32(header + JUMBO_LENGTH);
        if (kind == IPPROTO_ROUTING) {
            const uint8_t *last = find_final_destination(header);
            if (last != NULL)
                ip->address_sum = sum_octets(ip->src, IPV6_ADDRESS) + sum_octets(last, IPV6_ADDRESS);
        }
        if (kind == IPPROTO_FRAGMENT) {
            const uint16_t field = be16(header + PIECE_OFFSET);
            ip->fragment_offset = field & PIECE_OFFSET_MASK;
            ip->more = (field & PIECE_MORE) != 0;
            ip->ident = be32(header + PIECE_IDENT);
        }
        ip->protocol = header[EXTENSION_NEXT];
        ip->payload += extension_length(kind, header);
        if (ip->fragment_offset > 0)
            return;
    }
}

NOINLINE static void read_ipv6(
    const uint8_t *octets, int64_t position, int64_t end, int64_t limit, struct ip *ip)
{
    const uint8_t *header = octets + position;
    ip->version = 6;
    if (end - position < IPV6_HEADER)
        return;
    int64_t length = be16(header + IPV6_LENGTH);
    ip->known = true;
    ip->ttl = header[IPV6_HOPS];
    ip->protocol = header[IPV6_NEXT];
    ip->payload = position + IPV6_HEADER;
    ip->jumbo = length == 0 && ip->protocol != IPPROTO_NONE && limit > ip->payload;
    if (ip->jumbo)
        length = limit - ip->payload;
    ip->src = header + IPV6_SRC;
    ip->dst = header + IPV6_DST;
    ip->address_sum = sum_few(header + IPV6_SRC, 2 * IPV6_ADDRESS);
    ip->stop = ip->payload + length;
    step_over_extensions(octets, end, ip);
    ip->length = ip->stop - position;
    ip->malformed = ip->stop > limit || ip->payload > ip->stop;
    ip->stop = most(ip->stop, ip->payload);
}

INLINE void read_ip(
    const uint8_t *octets, const struct network *network, int64_t end, int64_t limit, struct ip *ip)
{
    const int64_t position = network->position;
    clear_ip(ip);
    if (position >= end)
        return;
    const int version = octets[position] >> 4;
    if (network->ethertype == ETHERTYPE_IPV4 && version == 4)
        read_ipv4(octets, position, end, limit, ip);
    else if (network->ethertype == ETHERTYPE_IPV6 && version == 6)
        read_ipv6(octets, position, end, limit, ip);
}

#endif
