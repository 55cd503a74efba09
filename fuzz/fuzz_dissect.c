/* Feed octets to the dissector and the indexers of the kernel, without Python.

   With clang:   clang -g -O1 -fsanitize=fuzzer,address,undefined fuzz/fuzz_dissect.c
   Without it:   gcc -g -O1 -fsanitize=address,undefined -DSTANDALONE fuzz/fuzz_dissect.c
                 ./a.out ROUNDS FILE...     mutates the files */
#include "../vxcsum/packet/native_dissect.h"
#include "../vxcsum/packet/native_index.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 64, PREFIX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan_one(const uint8_t *octets, int64_t count, uint16_t linktype, uint32_t origlen)
{
    static uint8_t is_port[65536];
#define COLUMN(type, name, items) type name[items];
    struct {
        FACTS(COLUMN)
    } row;
#undef COLUMN
#define COLUMN(type, name, items) row.name,
    const struct columns columns = {FACTS(COLUMN)};
#undef COLUMN
    struct fragment records[FRAGMENTS_PER_FRAME];
    is_port[4789] = is_port[4790] = is_port[8472] = 1;
    const struct frame frame = {
        .octets = octets,
        .end = count,
        .limit = most(count, origlen),
        .linktype = linktype,
        .is_port = is_port,
    };
    scan_frame(&frame, &columns, records);
}

static void index_all(const uint8_t *octets, int64_t count, bool swapped, int64_t max_caplen)
{
    uint8_t columns[8][8 * ROOM];
    struct walk walk = {
        .octets = octets,
        .stop = count,
        .max_caplen = max_caplen,
        .record_header = PCAP_HEADER,
        .room = ROOM,
        .offset = columns[0],
        .caplen = columns[1],
        .origlen = columns[2],
        .seconds = columns[3],
        .fraction = columns[4],
        .stamp = columns[5],
        .interface_id = columns[6],
        .flags = columns[7],
    };
    do {
        walk_pcap(&walk, swapped);
    } while (walk.status == FULL);
    walk.at = 0;
    do {
        walk_pcapng(&walk, swapped);
    } while (walk.status == FULL);
}

/* The first octets choose the link type, the length on the wire and the byte order. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t linktypes[] = {1, 1, 1, 0, 12, 101, 108, 113, 228, 229, 276, 147};
    if (size < PREFIX)
        return 0;
    const size_t count = size - PREFIX;
    uint8_t *octets = malloc(count ? count : 1); /* of that size, so that overruns are seen */
    if (octets == NULL)
        return 0;
    memcpy(octets, data + PREFIX, count);
    const uint16_t linktype = linktypes[data[0] % (sizeof linktypes / sizeof *linktypes)];
    scan_one(octets, (int64_t)count, linktype, (uint32_t)(data[1] << 8 | data[2]));
    index_all(octets, (int64_t)count, data[3] & 1, data[3] & 2 ? 1 << 24 : 100);
    free(octets);
    return 0;
}

#ifdef STANDALONE
static uint64_t state = 88172645463325252u; /* xorshift64 */

static uint32_t below(uint32_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return bound ? (uint32_t)((state >> 16) % bound) : 0;
}

static void mutate_window(const uint8_t *file, size_t size)
{
    uint8_t data[PREFIX + 2048];
    const uint32_t start = below((uint32_t)size);
    size_t count = below(below(2) ? 200 : 2048);
    if (count > size - start)
        count = size - start;
    for (int octet = 0; octet < PREFIX; octet++)
        data[octet] = (uint8_t)below(256);
    memcpy(data + PREFIX, file + start, count);
    for (uint32_t changes = below(6); changes > 0 && count > 0; changes--)
        data[PREFIX + below((uint32_t)count)] = (uint8_t)below(256);
    LLVMFuzzerTestOneInput(data, PREFIX + count);
}

/* Give a whole frame or record header at its start, as records of a pcap are easily found. */
static void mutate_records(const uint8_t *file, size_t size)
{
    size_t at = 24;
    while (at + PCAP_HEADER < size) {
        uint32_t caplen;
        memcpy(&caplen, file + at + PCAP_CAPLEN, sizeof caplen);
        if (caplen > size - at - PCAP_HEADER)
            return;
        if (caplen < 2048 && below(8) == 0) {
            uint8_t data[PREFIX + 2048];
            for (int octet = 0; octet < PREFIX; octet++)
                data[octet] = (uint8_t)below(256);
            memcpy(data + PREFIX, file + at + PCAP_HEADER, caplen);
            for (uint32_t changes = below(5); changes > 0 && caplen > 0; changes--)
                data[PREFIX + below(caplen < 120 ? caplen : 120)] = (uint8_t)below(256);
            LLVMFuzzerTestOneInput(data, PREFIX + (below(2) ? caplen : below(caplen + 1)));
        }
        at += PCAP_HEADER + caplen;
    }
}

int main(int argc, char **argv)
{
    const long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    for (int argument = 2; argument < argc; argument++) {
        FILE *stream = fopen(argv[argument], "rb");
        uint8_t *file = malloc(1 << 20);
        if (stream == NULL || file == NULL) {
            perror(argv[argument]);
            return 1;
        }
        const size_t size = fread(file, 1, 1 << 20, stream);
        fclose(stream);
        for (long round = 0; round < rounds && size > 0; round++) {
            for (int window = 0; window < 100; window++)
                mutate_window(file, size);
            mutate_records(file, size);
        }
        free(file);
    }
    return 0;
}
#endif
