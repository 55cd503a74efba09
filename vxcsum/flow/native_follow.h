/* Following connections, one frame after another: the twin of vxcsum.flow.vectorized. */
#ifndef VXCSUM_NATIVE_FOLLOW_H
#define VXCSUM_NATIVE_FOLLOW_H

#include "native_records.h"

struct state {
    struct connection *connections;
    int64_t room, count;
    int32_t *slots; /* number of a connection + 1, or 0 */
    uint64_t mask, seed; /* vxcsum.flow.records.State */
    int64_t *syn_row, *syn_connection; /* retransmitted SYNs of this table */
    int64_t syns, untracked;
    int64_t *segments; /* data segments outside and inside of VXLAN, by octets */
};

/* What a frame is found by, and where in its table it is. */
struct key {
    uint64_t src[2], dst[2], hash;
    int64_t row;
    int32_t capture, interface;
    uint32_t ifindex, vni;
    uint16_t sport, dport;
    uint8_t kind, protocol, side;
};

/* Times come from captures: their difference may not be one of 64 bits. */
INLINE int64_t elapsed(int64_t from, int64_t to)
{
    return (int64_t)((uint64_t)to - (uint64_t)from);
}

INLINE uint64_t mix(uint64_t value)
{
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    value ^= value >> 29;
    return value;
}

INLINE uint64_t endpoint_hash(const uint64_t address[2], uint16_t port, uint64_t seed)
{
    return mix(mix(mix(address[0] ^ seed) + address[1]) + port * UINT64_C(0xc2b2ae3d27d4eb4f));
}

/* The same for both directions. */
INLINE uint64_t hash_of(const struct key *key, uint64_t seed)
{
    const uint64_t interface = (uint64_t)(uint32_t)key->interface << 32 | key->ifindex;
    const uint64_t place = mix(interface ^ seed) + (uint32_t)key->capture;
    const uint64_t kind = (uint64_t)key->vni << 24 | (uint64_t)key->side << 16 |
                          (uint64_t)key->kind << 8 | key->protocol;
    return mix(endpoint_hash(key->src, key->sport, seed) +
               endpoint_hash(key->dst, key->dport, seed) +
               mix(place + kind * UINT64_C(0x165667b19e3779f9)));
}

INLINE bool same(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

/* Whether one end comes before the other; ends that are the same count as in order. */
INLINE bool in_order(const struct key *key)
{
    if (key->src[0] != key->dst[0])
        return key->src[0] < key->dst[0];
    if (key->src[1] != key->dst[1])
        return key->src[1] < key->dst[1];
    return key->sport <= key->dport;
}

/* Return which end of a connection sent the frame, or -1 where it is not of this connection. */
INLINE int sender(const struct connection *connection, const struct key *key)
{
    if (connection->kind != key->kind || connection->protocol != key->protocol ||
        connection->side != key->side || connection->vni != key->vni ||
        connection->ifindex != key->ifindex || connection->interface != key->interface ||
        connection->capture != key->capture)
        return -1;
    if (connection->port[0] == key->sport && connection->port[1] == key->dport &&
        same(connection->address[0], key->src) && same(connection->address[1], key->dst))
        return 0;
    if (connection->port[0] == key->dport && connection->port[1] == key->sport &&
        same(connection->address[0], key->dst) && same(connection->address[1], key->src))
        return 1;
    return -1;
}

/* Whether a slot names a connection: what else it may hold must not lead outside of the records. */
INLINE bool is_taken(const struct state *state, const int32_t *slot)
{
    return *slot > 0 && *slot <= state->count;
}

/* Return the slot of a frame's connection, or the free one where it would be. There are more slots
   than connections, so a free one is always met. */
INLINE int32_t *find(const struct state *state, const struct key *key, int *end)
{
    for (uint64_t slot = key->hash;; slot++) {
        int32_t *number = &state->slots[slot & state->mask];
        *end = is_taken(state, number) ? sender(&state->connections[*number - 1], key) : 0;
        if (*end >= 0)
            return number;
    }
}

static void begin(struct connection *connection, const struct table *table, const struct key *key)
{
    const int64_t row = key->row;
    memset(connection, 0, sizeof *connection);
    memcpy(connection->address[0], key->src, sizeof key->src);
    memcpy(connection->address[1], key->dst, sizeof key->dst);
    memcpy(connection->outer_src, table->outer_src + 2 * row, sizeof connection->outer_src);
    memcpy(connection->outer_dst, table->outer_dst + 2 * row, sizeof connection->outer_dst);
    connection->port[0] = key->sport;
    connection->port[1] = key->dport;
    connection->outer_sport = table->outer_sport[row];
    connection->outer_dport = table->outer_dport[row];
    connection->capture = key->capture;
    connection->interface = key->interface;
    connection->ifindex = key->ifindex;
    connection->vni = key->vni;
    connection->kind = key->kind;
    connection->protocol = key->protocol;
    connection->side = key->side;
    connection->first = connection->last = table->timestamp[row];
    connection->first_frame = table->frame_number[row];
    connection->last_syn = connection->syn_ack = connection->established = ABSENT_TIME;
    connection->round_trip = ABSENT_TIME;
    for (int end = 0; end < ENDS; end++)
        connection->from[end].first_data = connection->from[end].last_data = ABSENT_TIME;
}

/* Make of two holes one, those with the least between them; where that would be too large for one,
   forget the lower of them. */
static void make_room(struct hole holes[HOLES])
{
    int best = 0;
    for (int each = 1; each + 1 < HOLES; each++)
        if (holes[each + 1].low - holes[each].low - holes[each].length <
            holes[best + 1].low - holes[best].low - holes[best].length)
            best = each;
    const int64_t low = holes[best].low;
    const int64_t length = holes[best + 1].low + holes[best + 1].length - low;
    const uint64_t missing = (uint64_t)holes[best].missing + holes[best + 1].missing;
    if (length <= UINT32_MAX)
        holes[best + 1] = (struct hole){low, (uint32_t)length, (uint32_t)missing};
    for (int each = best; each + 1 < HOLES; each++)
        holes[each] = holes[each + 1];
    memset(&holes[HOLES - 1], 0, sizeof holes[0]);
}

/* Note a hole that lies above all others. */
static void open_hole(struct hole holes[HOLES], int64_t low, int64_t length)
{
    int free = 0;
    if (holes[HOLES - 1].missing != 0)
        make_room(holes);
    while (holes[free].missing != 0)
        free++;
    holes[free] = (struct hole){low, (uint32_t)length, (uint32_t)length};
}

/* Return how many of some octets fill holes, and take these out. */
static int64_t fill_holes(struct hole holes[HOLES], int64_t start, int64_t stop)
{
    int64_t filled = 0;
    int kept = 0;
    for (int each = 0; each < HOLES; each++) {
        struct hole hole = holes[each];
        const int64_t high = hole.low + hole.length;
        const int64_t from = start > hole.low ? start : hole.low, to = stop < high ? stop : high;
        if (hole.missing == 0)
            break;
        if (from < to) {
            const int64_t most = to - from < hole.missing ? to - from : hole.missing;
            filled += most;
            hole.missing -= (uint32_t)most;
            if (from == hole.low)
                hole = (struct hole){to, (uint32_t)(high - to), hole.missing};
            else if (to == high)
                hole.length = (uint32_t)(from - hole.low);
        }
        if (hole.missing != 0 && hole.length != 0)
            holes[kept++] = hole;
    }
    for (; kept < HOLES; kept++)
        memset(&holes[kept], 0, sizeof holes[0]);
    return filled;
}

/* Octets are counted from the one after the SYN, or from the first one that is seen. */
INLINE void track_from(struct direction_record *from, uint32_t seq)
{
    if (!from->tracked)
        from->seq = seq;
    from->tracked = 1;
}

/* Tell new octets from repeated ones, and from those that fill what was skipped before. */
INLINE void track(struct direction_record *from, struct hole holes[HOLES], uint32_t seq,
                  uint32_t octets)
{
    track_from(from, seq);
    const int64_t start = from->at + (int32_t)(seq - from->seq), stop = start + octets;
    from->seq = seq;
    from->at = start;
    if (start >= from->end) {
        if (start > from->end) {
            from->missing += start - from->end;
            open_hole(holes, from->end, start - from->end);
        }
        from->end = stop;
        return;
    }
    const int64_t last = stop < from->end ? stop : from->end;
    const int64_t filled = fill_holes(holes, start, last);
    from->missing -= filled;
    from->repeated_octets += last - start - filled;
    if (octets == 1 && stop == from->end && filled == 0)
        return; /* asks whether the other end is still there (RFC 9293, section 3.8.4) */
    if (last - start > filled)
        from->repeated_frames++;
    else
        from->late_frames++;
    if (stop > from->end)
        from->end = stop;
}

INLINE void handshake(struct state *state, struct connection *connection, int end,
                      const struct table *table, int64_t row, bool lost)
{
    const uint8_t flags = table->tcp_flags[row];
    const int64_t now = table->timestamp[row];
    if (flags & SYN) {
        const bool opening = connection->established == ABSENT_TIME;
        if (lost && opening)
            connection->lost_syns++;
        if (flags & ACK) {
            if (connection->syn_ack == ABSENT_TIME)
                connection->syn_ack = now;
            connection->syn_acks++;
        } else if (end == 0 && connection->begun) {
            if (connection->syns > 0) {
                if (elapsed(connection->last_syn, now) < COPY_NANOSECONDS)
                    return; /* seen at a second place: no TCP is that fast */
                state->syn_row[state->syns] = row;
                state->syn_connection[state->syns++] = connection - state->connections;
            }
            connection->syns++;
            connection->last_syn = now;
            if (opening)
                connection->last_outer_sport = table->outer_sport[row];
        }
    } else if (connection->begun && end == 0 && (flags & (ACK | RST)) == ACK && !lost &&
               connection->established == ABSENT_TIME) {
        connection->established = now;
        const int64_t lasted = elapsed(connection->last_syn, now);
        connection->round_trip = lasted > 0 ? lasted : 0; /* captures may be out of order */
    }
}

/* Return whether the frame of a row is of a connection, and what it is found by. */
INLINE bool key_of(const struct table *table, int64_t row, uint64_t seed, struct key *key)
{
    const uint8_t protocol = table->inner_protocol[row];
    if (table->kind[row] == OTHER || table->inner_l4_status[row] == ABSENT ||
        (protocol != TCP && protocol != UDP))
        return false;
    memcpy(key->src, table->inner_src + 2 * row, sizeof key->src);
    memcpy(key->dst, table->inner_dst + 2 * row, sizeof key->dst);
    key->row = row;
    key->capture = table->capture[row];
    key->interface = table->interface[row];
    key->ifindex = table->ifindex[row];
    key->vni = table->vni[row];
    key->sport = table->inner_sport[row];
    key->dport = table->inner_dport[row];
    key->kind = table->kind[row];
    key->protocol = protocol;
    key->side = 0;
    /* Where interfaces have no numbers, what one sees going out another sees coming in. */
    if (table->direction[row] != UNKNOWN && key->ifindex == 0)
        key->side = (uint8_t)(1 + ((table->direction[row] == OUT) != in_order(key)));
    key->hash = hash_of(key, seed);
    return true;
}

INLINE void follow_frame(struct state *state, const struct table *table, const struct key *key)
{
    const int64_t row = key->row;
    const uint8_t protocol = key->protocol, status = table->inner_l4_status[row];
    const uint8_t flags = protocol == TCP ? table->tcp_flags[row] : 0;
    const bool opens = (flags & (SYN | ACK)) == SYN;
    struct connection *connection = NULL;
    int end = 0;

    int32_t *slot = find(state, key, &end);
    if (is_taken(state, slot)) {
        connection = &state->connections[*slot - 1];
        if (opens && !(connection->begun && end == 0 && connection->isn == table->tcp_seq[row])) {
            connection->superseded = 1; /* the same ends again */
            connection = NULL;
        } else if (connection->superseded) {
            connection = NULL;
        }
    }
    if (connection == NULL) {
        if (state->count >= state->room) {
            state->untracked++;
            return;
        }
        connection = &state->connections[state->count++];
        *slot = (int32_t)state->count;
        end = 0;
        begin(connection, table, key);
        connection->begun = opens;
        connection->isn = opens ? table->tcp_seq[row] : 0;
    }

    struct direction_record *from = &connection->from[end];
    const int64_t now = table->timestamp[row];
    const uint8_t outer = table->outer_udp_status[row];
    if (now > connection->last)
        connection->last = now;
    from->frames++;
    from->partial += status == PARTIAL;
    from->valid += status == VALID;
    from->invalid += status == INVALID;
    from->outer_invalid += outer == INVALID;
    const bool lost = status == INVALID || outer == INVALID;
    from->tcp_flags |= lost ? (uint8_t)(flags & ~RST) : flags;
    from->directions |= (uint8_t)(1u << (table->direction[row] & 7));
    if (protocol == TCP)
        handshake(state, connection, end, table, row, lost);
    if ((flags & SYN) && status != INVALID)
        track_from(from, table->tcp_seq[row] + 1);

    const uint32_t header = protocol == TCP ? table->tcp_header_length[row] : UDP_HEADER;
    const uint32_t length = table->inner_l4_length[row];
    if (header == 0 || length <= header)
        return;
    const uint32_t octets = length - header;
    const uint32_t origlen = table->origlen[row];
    from->data_frames++;
    from->octets += octets;
    if (octets > from->largest)
        from->largest = octets;
    if (from->first_data == ABSENT_TIME)
        from->first_data = now;
    if (from->last_data == ABSENT_TIME || now > from->last_data)
        from->last_data = now;
    if (status == INVALID) /* receivers drop it */
        from->damaged_octets += octets;
    if (protocol != TCP)
        return;
    from->superframes += origlen > JUMBO_FRAME || (origlen > ETHERNET_FRAME && status == PARTIAL);
    state->segments[(key->kind == VXLAN ? MAX_SEGMENT + 1u : 0u) +
                    (octets < MAX_SEGMENT ? octets : MAX_SEGMENT)]++;
    if (status != INVALID) /* the sequence number may be what is damaged */
        track(from, connection->holes[end], table->tcp_seq[row] + ((flags & SYN) != 0), octets);
}

/* Follow the frames of all rows. What is known of their connections is far apart in memory, so it
   is asked for some frames ahead. */
static void follow_rows(struct state *state, const struct table *table, int64_t rows)
{
    struct key keys[AHEAD];
    for (int64_t row = 0; row < rows;) {
        int count = 0;
        for (; row < rows && count < AHEAD; row++) {
            if (key_of(table, row, state->seed, &keys[count]))
                PREFETCH(&state->slots[keys[count++].hash & state->mask]);
        }
        for (int each = 0; each < count; each++) {
            const int32_t *slot = &state->slots[keys[each].hash & state->mask];
            if (is_taken(state, slot))
                for (size_t at = 0; at < offsetof(struct connection, first); at += CACHE_LINE)
                    PREFETCH((const char *)&state->connections[*slot - 1] + at);
        }
        for (int each = 0; each < count; each++)
            follow_frame(state, table, &keys[each]);
    }
}

#endif
