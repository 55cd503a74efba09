/* Finding the frames in the octets of a container: the twins of vxcsum.capture.indexing. */
#ifndef VXCSUM_NATIVE_INDEX_H
#define VXCSUM_NATIVE_INDEX_H

#include "native_octets.h"

enum status { MORE, FULL, BAD, PYTHON, SKIP };

/* Where a walk goes: records from `at` on, octets before `stop`, rows of the columns. */
struct walk {
    const uint8_t *octets;
    int64_t at, stop, max_caplen, record_header;
    int64_t room, count;
    enum status status;
    /* int64, uint32, uint32, then what pcap or pcapng have; of any alignment */
    uint8_t *offset, *caplen, *origlen, *seconds, *fraction, *stamp, *interface_id, *flags;
};

INLINE uint16_t field16(const uint8_t *at, bool swapped)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    if (swapped)
        value = (uint16_t)(value << 8 | value >> 8);
    return value;
}

INLINE uint32_t field32(const uint8_t *at, bool swapped)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    if (swapped)
        value = value << 24 | (value & 0xff00) << 8 | (value >> 8 & 0xff00) | value >> 24;
    return value;
}

INLINE void put32(uint8_t *column, int64_t row, uint32_t value)
{
    memcpy(column + 4 * row, &value, sizeof value);
}

INLINE void put64(uint8_t *column, int64_t row, int64_t value)
{
    memcpy(column + 8 * row, &value, sizeof value);
}

/* pcap, "Packet Record" */
enum { PCAP_SECONDS = 0, PCAP_FRACTION = 4, PCAP_CAPLEN = 8, PCAP_ORIGLEN = 12, PCAP_HEADER = 16 };

INLINE void walk_pcap(struct walk *walk, bool swapped)
{
    const int64_t last_header = walk->stop - walk->record_header;
    int64_t at = walk->at, row = 0;
    walk->status = MORE;
    while (at <= last_header) {
        const uint8_t *record = walk->octets + at;
        if (row == walk->room) {
            walk->status = FULL;
            break;
        }
        const uint32_t caplen = field32(record + PCAP_CAPLEN, swapped);
        if (caplen > walk->max_caplen) {
            walk->status = BAD;
            break;
        }
        if (caplen > last_header - at)
            break;
        put64(walk->offset, row, at + walk->record_header);
        put32(walk->caplen, row, caplen);
        put32(walk->origlen, row, field32(record + PCAP_ORIGLEN, swapped));
        put32(walk->seconds, row, field32(record + PCAP_SECONDS, swapped));
        put32(walk->fraction, row, field32(record + PCAP_FRACTION, swapped));
        at += walk->record_header + caplen;
        row++;
    }
    walk->at = at;
    walk->count = row;
}

/* pcapng, "General Block Structure" */
enum { BLOCK_TYPE = 0, BLOCK_LENGTH = 4, BLOCK_LEAST = 12, BLOCK_TRAILER = 4 };
/* Enhanced Packet Block */
enum {
    EPB_INTERFACE = 8,
    EPB_STAMP_HIGH = 12,
    EPB_STAMP_LOW = 16,
    EPB_CAPLEN = 20,
    EPB_ORIGLEN = 24,
    EPB_HEADER = 28,
    EPB_LEAST = EPB_HEADER + BLOCK_TRAILER
};
enum { OPTION_END = 0, OPTION_EPB_FLAGS = 2, OPTION_HEADER = 4 };
enum { BLOCK_OVERHEAD = 1 << 16 }; /* octets a block may have beside the longest frame */

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 2u /* obsolete */
#define BLOCK_SIMPLE 3u
#define BLOCK_ENHANCED 6u

INLINE bool is_for_python(uint32_t type)
{
    return type == BLOCK_SECTION || type == BLOCK_INTERFACE || type == BLOCK_PACKET ||
           type == BLOCK_SIMPLE;
}

/* Return epb_flags of the options in some octets, 0 where absent. */
INLINE uint32_t find_flags(const uint8_t *option, int64_t left, bool swapped)
{
    while (left >= OPTION_HEADER + 4) {
        const uint16_t code = field16(option, swapped), length = field16(option + 2, swapped);
        const int64_t step = OPTION_HEADER + ((length + 3) & ~3);
        if (code == OPTION_END)
            break;
        if (code == OPTION_EPB_FLAGS && length == 4)
            return field32(option + OPTION_HEADER, swapped);
        if (step > left)
            break;
        option += step;
        left -= step;
    }
    return 0;
}

/* Write a row; return whether the lengths of the block, which is there to its end, make sense. */
INLINE bool read_enhanced(struct walk *walk, int64_t row, int64_t length, bool swapped)
{
    const uint8_t *block = walk->octets + walk->at;
    const uint32_t caplen = field32(block + EPB_CAPLEN, swapped);
    const int64_t padded = ((int64_t)caplen + 3) & ~(int64_t)3;
    const int64_t spare = length - EPB_LEAST - padded;
    if (spare < 0 || caplen > walk->max_caplen ||
        field32(block + length - BLOCK_TRAILER, swapped) != length)
        return false;
    const uint64_t stamp = (uint64_t)field32(block + EPB_STAMP_HIGH, swapped) << 32 |
                           field32(block + EPB_STAMP_LOW, swapped);
    put64(walk->offset, row, walk->at + EPB_HEADER);
    put32(walk->caplen, row, caplen);
    put32(walk->origlen, row, field32(block + EPB_ORIGLEN, swapped));
    memcpy(walk->stamp + 8 * row, &stamp, sizeof stamp);
    put32(walk->interface_id, row, field32(block + EPB_INTERFACE, swapped));
    put32(walk->flags, row, find_flags(block + EPB_HEADER + padded, spare, swapped));
    return true;
}

/* Look at the block at `at`; return its length, or 0 with `status` set where the walk ends. */
INLINE int64_t next_block(struct walk *walk, bool swapped)
{
    const uint8_t *block = walk->octets + walk->at;
    const uint32_t type = field32(block + BLOCK_TYPE, swapped);
    const int64_t length = field32(block + BLOCK_LENGTH, swapped);
    const int64_t there = walk->stop - walk->at;
    if (type == BLOCK_ENHANCED) {
        if (walk->count == walk->room)
            walk->status = FULL;
        else if (length < EPB_LEAST || length & 3 || length > walk->max_caplen + BLOCK_OVERHEAD)
            walk->status = BAD;
        else if (length > there)
            walk->status = MORE;
        else if (!read_enhanced(walk, walk->count, length, swapped))
            walk->status = BAD;
        else {
            walk->count++;
            return length;
        }
        return 0;
    }
    if (is_for_python(type))
        walk->status = PYTHON;
    else if (length < BLOCK_LEAST || length & 3)
        walk->status = BAD;
    else if (length > there)
        walk->status = SKIP;
    else if (field32(block + length - BLOCK_TRAILER, swapped) != length)
        walk->status = BAD;
    else
        return length;
    return 0;
}

INLINE void walk_pcapng(struct walk *walk, bool swapped)
{
    walk->count = 0;
    walk->status = MORE;
    while (walk->stop - walk->at >= BLOCK_LEAST) {
        const int64_t length = next_block(walk, swapped);
        if (length == 0)
            break;
        walk->at += length;
    }
}

#endif
