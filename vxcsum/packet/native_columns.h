/* What a kernel writes: the twin of vxcsum.packet.columns. */
#ifndef VXCSUM_NATIVE_COLUMNS_H
#define VXCSUM_NATIVE_COLUMNS_H

#include "native_octets.h"

/* The columns of vxcsum.packet.columns.FACTS: type, name, items of a row. */
#define FACTS(COLUMN)                       \
    COLUMN(uint8_t, kind, 1)                \
    COLUMN(uint16_t, vlan, 1)               \
    COLUMN(uint8_t, direction, 1)           \
    COLUMN(uint32_t, ifindex, 1)            \
    COLUMN(uint8_t, outer_ip_version, 1)    \
    COLUMN(uint64_t, outer_src, 2)          \
    COLUMN(uint64_t, outer_dst, 2)          \
    COLUMN(uint8_t, outer_ttl, 1)           \
    COLUMN(uint32_t, outer_length, 1)       \
    COLUMN(uint16_t, outer_sport, 1)        \
    COLUMN(uint16_t, outer_dport, 1)        \
    COLUMN(uint32_t, outer_udp_length, 1)   \
    COLUMN(uint16_t, outer_udp_offset, 1)   \
    COLUMN(uint16_t, vxlan_flags, 1)        \
    COLUMN(uint32_t, vni, 1)                \
    COLUMN(uint8_t, inner_ip_version, 1)    \
    COLUMN(uint64_t, inner_src, 2)          \
    COLUMN(uint64_t, inner_dst, 2)          \
    COLUMN(uint8_t, inner_ttl, 1)           \
    COLUMN(uint32_t, inner_length, 1)       \
    COLUMN(uint8_t, inner_protocol, 1)      \
    COLUMN(uint16_t, inner_sport, 1)        \
    COLUMN(uint16_t, inner_dport, 1)        \
    COLUMN(uint32_t, inner_l4_length, 1)    \
    COLUMN(uint16_t, inner_l4_offset, 1)    \
    COLUMN(uint8_t, tcp_flags, 1)           \
    COLUMN(uint32_t, tcp_seq, 1)            \
    COLUMN(uint32_t, tcp_ack, 1)            \
    COLUMN(uint8_t, tcp_header_length, 1)   \
    COLUMN(uint16_t, outer_ip_found, 1)     \
    COLUMN(uint16_t, outer_ip_residual, 1)  \
    COLUMN(uint8_t, outer_ip_coverage, 1)   \
    COLUMN(uint16_t, outer_udp_found, 1)    \
    COLUMN(uint16_t, outer_udp_residual, 1) \
    COLUMN(uint16_t, outer_udp_pseudo, 1)   \
    COLUMN(uint8_t, outer_udp_coverage, 1)  \
    COLUMN(uint16_t, outer_udp_lco, 1)      \
    COLUMN(uint16_t, inner_ip_found, 1)     \
    COLUMN(uint16_t, inner_ip_residual, 1)  \
    COLUMN(uint8_t, inner_ip_coverage, 1)   \
    COLUMN(uint16_t, inner_l4_found, 1)     \
    COLUMN(uint16_t, inner_l4_residual, 1)  \
    COLUMN(uint16_t, inner_l4_pseudo, 1)    \
    COLUMN(uint8_t, inner_l4_coverage, 1)

struct columns {
#define COLUMN(type, name, items) type *name;
    FACTS(COLUMN)
#undef COLUMN
};

/* vxcsum.packet.columns.FRAGMENT_DTYPE, and two octets of padding behind it */
struct fragment {
    int64_t row;
    uint64_t src[2], dst[2];
    uint32_t ident, offset, start, length;
    uint16_t sum;
    uint8_t protocol, inner, more, captured;
};
enum { FRAGMENT_OCTETS = 62, FRAGMENTS_PER_FRAME = 2 };

enum kind { OTHER, PLAIN, VXLAN };
enum coverage { ABSENT, COMPLETE, TRUNCATED, FRAGMENT, MALFORMED, FIELD_CUT, FIELDLESS };
enum direction { UNKNOWN, IN, OUT };

INLINE bool is_summed(enum coverage coverage)
{
    return coverage == COMPLETE || coverage == FRAGMENT;
}

#endif
