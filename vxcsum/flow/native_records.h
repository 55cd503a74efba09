/* What is read and what is kept: the twin of vxcsum.flow.records. */
#ifndef VXCSUM_NATIVE_RECORDS_H
#define VXCSUM_NATIVE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define INLINE static inline
#define PREFETCH(address) ((void)(address))
#endif

/* The columns of a table: type, name, items of a row. */
#define COLUMNS(COLUMN)                   \
    COLUMN(uint8_t, kind, 1)              \
    COLUMN(uint8_t, direction, 1)         \
    COLUMN(uint8_t, inner_protocol, 1)    \
    COLUMN(uint8_t, inner_l4_status, 1)   \
    COLUMN(uint8_t, outer_udp_status, 1)  \
    COLUMN(uint8_t, tcp_flags, 1)         \
    COLUMN(uint8_t, tcp_header_length, 1) \
    COLUMN(uint16_t, inner_sport, 1)      \
    COLUMN(uint16_t, inner_dport, 1)      \
    COLUMN(uint16_t, outer_sport, 1)      \
    COLUMN(uint16_t, outer_dport, 1)      \
    COLUMN(uint32_t, inner_l4_length, 1)  \
    COLUMN(uint32_t, tcp_seq, 1)          \
    COLUMN(uint32_t, origlen, 1)          \
    COLUMN(uint32_t, vni, 1)              \
    COLUMN(uint32_t, ifindex, 1)          \
    COLUMN(int32_t, capture, 1)           \
    COLUMN(int32_t, interface, 1)         \
    COLUMN(int64_t, timestamp, 1)         \
    COLUMN(int64_t, frame_number, 1)      \
    COLUMN(uint64_t, inner_src, 2)        \
    COLUMN(uint64_t, inner_dst, 2)        \
    COLUMN(uint64_t, outer_src, 2)        \
    COLUMN(uint64_t, outer_dst, 2)

struct table {
#define COLUMN(type, name, items) const type *name;
    COLUMNS(COLUMN)
#undef COLUMN
};

enum { TCP = 6, UDP = 17, UDP_HEADER = 8 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum kind { OTHER, PLAIN, VXLAN };
enum direction { UNKNOWN, IN, OUT };
enum status { ABSENT, VALID, ZERO, PARTIAL, INVALID, UNVERIFIABLE };
enum { JUMBO_FRAME = 9216 + 64, ETHERNET_FRAME = 1600 };
enum { ENDS = 2, MAX_SEGMENT = 65536, HOLES = 3, AHEAD = 32, CACHE_LINE = 64 };
#define ABSENT_TIME INT64_MIN
#define COPY_NANOSECONDS 100000000

/* vxcsum.flow.records.DIRECTION */
struct direction_record {
    int64_t first_data, last_data, octets, repeated_octets, damaged_octets;
    int64_t end, at, missing; /* octets after the first one: reached, last begun, skipped so far */
    uint32_t frames, data_frames, repeated_frames, late_frames, largest, superframes;
    uint32_t partial, valid, invalid, outer_invalid, seq;
    uint8_t tcp_flags, tracked, directions, unused;
};

/* vxcsum.flow.records.HOLE: octets that were skipped, some of which may have come since */
struct hole {
    int64_t low;
    uint32_t length, missing; /* 0: no hole */
};

/* vxcsum.flow.records.CONNECTION */
struct connection {
    uint64_t address[ENDS][2];
    int32_t capture, interface;
    uint32_t ifindex, vni, isn;
    uint16_t port[ENDS];
    uint8_t kind, protocol, side, begun, superseded, unused[3];
    int64_t last, established;
    struct direction_record from[ENDS];
    int64_t first, first_frame, last_syn, syn_ack, round_trip;
    uint64_t outer_src[2], outer_dst[2];
    uint32_t syns, syn_acks, lost_syns, unused_count;
    uint16_t outer_sport, outer_dport, last_outer_sport, unused_ports;
    struct hole holes[ENDS][HOLES]; /* the lowest first */
};
_Static_assert(sizeof(struct connection) == 496, "as vxcsum.flow.records.CONNECTION");

#endif
