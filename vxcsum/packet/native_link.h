/* Link headers and VLAN tags: the twin of vxcsum.packet.link, which names the sources. */
#ifndef VXCSUM_NATIVE_LINK_H
#define VXCSUM_NATIVE_LINK_H

#include "native_columns.h"

/* Positions count octets from the start of the frame, in int64_t: no sum of the lengths of 16
   and 32 bits that a frame can hold overflows it. `end` is the first octet behind what was
   captured of a thing, `limit` the first one behind what encloses it, as it was on the wire.
   No octet is read at or behind `end`.

   Structures are filled in place and read back in the same pieces: copies of them as a whole wait
   for all of their parts to be stored, which costs more than the dissection. */

struct frame {
    const uint8_t *octets;
    int64_t end, limit;
    int64_t row; /* of its columns */
    uint16_t linktype;
    uint8_t direction;
    const uint8_t *is_port; /* 65536 flags */
};

enum {
    LINKTYPE_NULL = 0,
    LINKTYPE_ETHERNET = 1,
    LINKTYPE_RAW_OPENBSD = 14,
    LINKTYPE_RAW_BSD = 12,
    LINKTYPE_RAW = 101,
    LINKTYPE_LOOP = 108,
    LINKTYPE_LINUX_SLL = 113,
    LINKTYPE_IPV4 = 228,
    LINKTYPE_IPV6 = 229,
    LINKTYPE_LINUX_SLL2 = 276
};
enum { ETHERTYPE_NONE = 0, ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd };
enum { ETHERTYPE_8021Q = 0x8100, ETHERTYPE_8021AD = 0x88a8, ETHERTYPE_QINQ = 0x9100 };
enum { ETHERNET_TYPE = 12, ETHERNET_HEADER = 14 };
enum { TAG_TYPE = 2, TAG_HEADER = 4, TAG_IDENTIFIER = 0x0fff, MAX_VLAN_TAGS = 4 };
enum { SLL_PACKET_TYPE = 0, SLL_PROTOCOL = 14, SLL_HEADER = 16, SLL_OUTGOING = 4 };
enum { SLL2_PROTOCOL = 0, SLL2_IFINDEX = 4, SLL2_PACKET_TYPE = 10, SLL2_HEADER = 20 };
enum { FAMILY_HEADER = 4, FAMILY_INET = 2 };

struct network {
    int64_t position;
    uint32_t ifindex;
    uint16_t ethertype, vlan;
    uint8_t direction;
};

INLINE bool is_tag(uint16_t ethertype)
{
    return ethertype == ETHERTYPE_8021Q || ethertype == ETHERTYPE_8021AD ||
           ethertype == ETHERTYPE_QINQ;
}

INLINE void step_over_tags(const uint8_t *octets, int64_t end, struct network *network)
{
    for (int tags = 0; tags < MAX_VLAN_TAGS && is_tag(network->ethertype); tags++) {
        const uint8_t *tag = octets + network->position;
        network->ethertype = ETHERTYPE_NONE;
        if (end - network->position < TAG_HEADER)
            return;
        if (network->vlan == 0)
            network->vlan = (uint16_t)((be16(tag) & TAG_IDENTIFIER) + 1);
        network->ethertype = be16(tag + TAG_TYPE);
        network->position += TAG_HEADER;
    }
}

INLINE void read_ethernet(
    const uint8_t *octets, int64_t position, int64_t end, struct network *network)
{
    network->position = position + ETHERNET_HEADER;
    if (network->position <= end) {
        network->ethertype = be16(octets + position + ETHERNET_TYPE);
        step_over_tags(octets, end, network);
    }
}

INLINE void read_cooked(const uint8_t *octets, int64_t end, struct network *network)
{
    network->position = SLL_HEADER;
    if (end >= SLL_HEADER) {
        network->direction = be16(octets + SLL_PACKET_TYPE) == SLL_OUTGOING ? OUT : IN;
        network->ethertype = be16(octets + SLL_PROTOCOL);
        step_over_tags(octets, end, network);
    }
}

INLINE void read_cooked_v2(const uint8_t *octets, int64_t end, struct network *network)
{
    network->position = SLL2_HEADER;
    if (end >= SLL2_HEADER) {
        network->direction = octets[SLL2_PACKET_TYPE] == SLL_OUTGOING ? OUT : IN;
        network->ifindex = be32(octets + SLL2_IFINDEX);
        network->ethertype = be16(octets + SLL2_PROTOCOL);
        step_over_tags(octets, end, network);
    }
}

/* A 32-bit address family in either byte order. */
INLINE uint16_t ethertype_of_family(const uint8_t *octets, int64_t end)
{
    if (end < FAMILY_HEADER || (be16(octets) != 0 && be16(octets + 2) != 0))
        return ETHERTYPE_NONE;
    switch (octets[0] | octets[3]) {
    case FAMILY_INET:
        return ETHERTYPE_IPV4;
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* Darwin */
        return ETHERTYPE_IPV6;
    default:
        return ETHERTYPE_NONE;
    }
}

INLINE uint16_t ethertype_of_version(const uint8_t *octets, int64_t end)
{
    const int version = end > 0 ? octets[0] >> 4 : 0;
    return version == 4 ? ETHERTYPE_IPV4 : version == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_NONE;
}

/* `network` is all 0 at first. */
INLINE void find_network(const struct frame *frame, struct network *network)
{
    const uint8_t *octets = frame->octets;
    switch (frame->linktype) {
    case LINKTYPE_ETHERNET:
        read_ethernet(octets, 0, frame->end, network);
        break;
    case LINKTYPE_LINUX_SLL:
        read_cooked(octets, frame->end, network);
        break;
    case LINKTYPE_LINUX_SLL2:
        read_cooked_v2(octets, frame->end, network);
        break;
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP:
        network->position = FAMILY_HEADER;
        network->ethertype = ethertype_of_family(octets, frame->end);
        break;
    case LINKTYPE_RAW:
    case LINKTYPE_RAW_BSD:
    case LINKTYPE_RAW_OPENBSD:
        network->ethertype = ethertype_of_version(octets, frame->end);
        break;
    case LINKTYPE_IPV4:
        network->ethertype = ETHERTYPE_IPV4;
        break;
    case LINKTYPE_IPV6:
        network->ethertype = ETHERTYPE_IPV6;
        break;
    default:
        break;
    }
}

#endif
