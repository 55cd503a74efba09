/* Feed octets as tables of frames to what follows connections, without Python.

   With clang:   clang -g -O1 -fsanitize=fuzzer,address,undefined fuzz/fuzz_follow.c
   Without it:   gcc -g -O1 -fsanitize=address,undefined -DSTANDALONE fuzz/fuzz_follow.c
                 ./a.out ROUNDS FILE...     takes pieces of the files, and random octets */
#include "../vxcsum/flow/native_follow.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 64, ROOM = 16, SLOTS = 32 };

/* Columns of few values, so that frames meet: the octets of a row choose them. */
struct rows {
#define COLUMN(type, name, items) type name[ROWS * (items)];
    COLUMNS(COLUMN)
#undef COLUMN
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows *rows = calloc(1, sizeof *rows);
    struct connection *connections = calloc(ROOM, sizeof *connections);
    int32_t *slots = calloc(SLOTS, sizeof *slots);
    int64_t *syns = calloc(2 * ROWS, sizeof *syns), *segments = calloc(2 * (MAX_SEGMENT + 1), 8);
    struct state state = {
        .connections = connections,
        .room = ROOM,
        .slots = slots,
        .mask = SLOTS - 1,
        .segments = segments,
        .syn_row = syns,
        .syn_connection = syns + ROWS,
    };
    if (rows && connections && slots && syns && segments && size > 0) {
        if (data[0] & 1) /* an index that is no index */
            for (int slot = 0; slot < SLOTS; slot += 1 + slot % 3)
                slots[slot] = (int32_t)((uint32_t)data[(size_t)slot % size] << 24);
        for (int round = 0; round < 3; round++) {
            size_t at = (size_t)round;
#define COLUMN(type, name, items)                                                   \
    for (size_t octet = 0; octet < sizeof rows->name; octet++, at++)                \
        ((uint8_t *)rows->name)[octet] =                                            \
            (sizeof(type) > 1 && octet % sizeof(type) > 1 && !(data[0] & 2)) ? 0    \
            : sizeof(type) == 1 ? (uint8_t)(data[at % size] % 32)                   \
                                : data[(at + at / size) % size];
            COLUMNS(COLUMN)
#undef COLUMN
            const struct table table = {
#define COLUMN(type, name, items) .name = rows->name,
                COLUMNS(COLUMN)
#undef COLUMN
            };
            state.syns = 0;
            follow_rows(&state, &table, ROWS);
            if (state.count > ROOM || state.syns > ROWS)
                abort();
        }
    }
    free(rows);
    free(connections);
    free(slots);
    free(syns);
    free(segments);
    return 0;
}

#ifdef STANDALONE
static uint64_t random_state = 88172645463325252u; /* xorshift64 */

static uint8_t octet_of(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint8_t)(random_state >> 24);
}

int main(int count, char **arguments)
{
    const long rounds = count > 1 ? strtol(arguments[1], NULL, 10) : 1000;
    for (long round = 0; round < rounds; round++) {
        uint8_t data[4096];
        size_t size = 1 + (size_t)(octet_of() << 4 | octet_of() >> 4);
        for (size_t octet = 0; octet < size; octet++)
            data[octet] = octet_of();
        if (count > 2) {
            FILE *file = fopen(arguments[2 + round % (count - 2)], "rb");
            if (file != NULL) {
                if (fseek(file, (long)(octet_of() << 8 | octet_of()), SEEK_SET) == 0)
                    size = fread(data + 1, 1, size - 1 ? size - 1 : 1, file) + 1;
                fclose(file);
            }
        }
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%ld rounds\n", rounds);
    return 0;
}
#endif
