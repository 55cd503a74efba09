/* From the octets of one frame to its row of columns: the twin of vxcsum.packet.vectorized. */
#ifndef VXCSUM_NATIVE_DISSECT_H
#define VXCSUM_NATIVE_DISSECT_H

#include "native_transport.h"

enum { VXLAN_FLAGS = 0, VXLAN_NEXT = 3, VXLAN_VNI = 4, VXLAN_HEADER = 8, VXLAN_GPE_PORT = 4790 };
enum { VXLAN_I_FLAG = 0x08, VXLAN_P_FLAG = 0x04 };
enum { GPE_IPV4 = 1, GPE_IPV6 = 2, GPE_ETHERNET = 3 };

INLINE bool is_vxlan(
    const struct frame *frame, const struct ip *ip, const struct transport *udp, int64_t end)
{
    const int64_t header = ip->payload + UDP_HEADER;
    return udp->coverage != ABSENT && ip->protocol == IPPROTO_UDP &&
           frame->is_port[udp->dport] != 0 && header + VXLAN_HEADER <= end &&
           udp->length >= UDP_HEADER + VXLAN_HEADER &&
           (frame->octets[header + VXLAN_FLAGS] & VXLAN_I_FLAG) != 0;
}

/* Behind Ethernet, or bare in VXLAN-GPE. */
INLINE void find_inner_network(
    const uint8_t *octets, int64_t vxlan, uint16_t dport, int64_t end, struct network *network)
{
    const uint8_t *header = octets + vxlan;
    network->position = vxlan + VXLAN_HEADER;
    if (dport != VXLAN_GPE_PORT || (header[VXLAN_FLAGS] & VXLAN_P_FLAG) == 0 ||
        header[VXLAN_NEXT] == GPE_ETHERNET)
        read_ethernet(octets, network->position, end, network);
    else if (header[VXLAN_NEXT] == GPE_IPV4)
        network->ethertype = ETHERTYPE_IPV4;
    else if (header[VXLAN_NEXT] == GPE_IPV6)
        network->ethertype = ETHERTYPE_IPV6;
}

INLINE void put_address(uint64_t halves[2], uint8_t version, const uint8_t *address)
{
    halves[0] = address != NULL && version == 6 ? be64(address) : 0;
    halves[1] = address == NULL ? 0 : version == 6 ? be64(address + 8) : be32(address) | IPV4_MAPPED;
}

#define PUT_IP(columns, slot, row, ip)                                                \
    do {                                                                              \
        (columns)->slot##_ip_version[row] = (ip)->version;                            \
        put_address(&(columns)->slot##_src[2 * (row)], (ip)->version, (ip)->src);     \
        put_address(&(columns)->slot##_dst[2 * (row)], (ip)->version, (ip)->dst);     \
        (columns)->slot##_ttl[row] = (ip)->ttl;                                       \
        (columns)->slot##_length[row] = (uint32_t)(ip)->length;                       \
        (columns)->slot##_ip_found[row] = (ip)->found;                                \
        (columns)->slot##_ip_residual[row] = (ip)->residual;                          \
        (columns)->slot##_ip_coverage[row] = (uint8_t)(ip)->coverage;                 \
    } while (0)

static const struct ip NO_IP;
static const struct transport NO_TRANSPORT;

INLINE uint16_t residual_of(const struct transport *l4, word_sum sum)
{
    return is_summed(l4->coverage) ? fold((uint64_t)l4->pseudo + network_order(sum)) : 0;
}

/* Write all columns of the outer packet; `vxlan` is the VXLAN header, NULL where there is none. */
INLINE void put_outer(
    const struct columns *columns, int64_t row, const struct ip *ip, const struct transport *udp,
    const uint8_t *vxlan, uint16_t residual, uint16_t lco)
{
    PUT_IP(columns, outer, row, ip);
    columns->outer_sport[row] = udp->sport;
    columns->outer_dport[row] = udp->dport;
    columns->outer_udp_length[row] = (uint32_t)udp->length;
    columns->outer_udp_offset[row] = (uint16_t)ip->payload;
    columns->outer_udp_found[row] = udp->found;
    columns->outer_udp_residual[row] = residual;
    columns->outer_udp_pseudo[row] = udp->pseudo;
    columns->outer_udp_coverage[row] = (uint8_t)udp->coverage;
    columns->outer_udp_lco[row] = lco;
    columns->vxlan_flags[row] = vxlan != NULL ? be16(vxlan + VXLAN_FLAGS) : 0;
    columns->vni[row] = vxlan != NULL ? be32(vxlan + VXLAN_VNI) >> 8 : 0;
}

/* Write all columns of the inner packet; `body` is the sum of its payload. */
INLINE void put_inner(
    const struct columns *columns, int64_t row, const struct ip *ip, const struct transport *l4,
    word_sum body)
{
    PUT_IP(columns, inner, row, ip);
    columns->inner_protocol[row] = ip->protocol;
    columns->inner_sport[row] = l4->sport;
    columns->inner_dport[row] = l4->dport;
    columns->inner_l4_length[row] = (uint32_t)l4->length;
    columns->inner_l4_offset[row] = l4->coverage != ABSENT ? (uint16_t)ip->payload : 0;
    columns->inner_l4_found[row] = l4->found;
    columns->inner_l4_residual[row] = residual_of(l4, body);
    columns->inner_l4_pseudo[row] = l4->pseudo;
    columns->inner_l4_coverage[row] = (uint8_t)l4->coverage;
    columns->tcp_flags[row] = l4->tcp_flags;
    columns->tcp_seq[row] = l4->tcp_seq;
    columns->tcp_ack[row] = l4->tcp_ack;
    columns->tcp_header_length[row] = l4->tcp_header_length;
}

/* Fragments whose headers make sense have records. */
INLINE bool has_record(const struct ip *ip)
{
    return is_fragment(ip) && ip->known && !ip->malformed;
}

NOINLINE static void put_fragment(
    struct fragment *record, int64_t row, const struct ip *ip, uint8_t captured, word_sum sum)
{
    record->row = row;
    put_address(record->src, ip->version, ip->src);
    put_address(record->dst, ip->version, ip->dst);
    record->ident = ip->ident;
    record->offset = (uint32_t)ip->fragment_offset;
    record->start = (uint32_t)ip->payload;
    record->length = (uint32_t)(ip->stop - ip->payload);
    record->sum = captured ? network_order(sum) : 0;
    record->protocol = ip->protocol;
    record->inner = 0;
    record->more = ip->more;
    record->captured = captured;
}

INLINE bool is_body_summed(const struct ip *ip, const struct transport *l4)
{
    return is_summed(l4->coverage) || (is_fragment(ip) && ip->known);
}

/* Return where the sum of a payload ends, if it is summed. */
INLINE int64_t body_stop(const struct ip *ip, const struct transport *l4, int64_t end)
{
    return most(is_fragment(ip) ? end : l4->stop, ip->payload);
}

/* Write the columns behind those of the link, and fragment records; return how many of these. */
INLINE int scan_plain(
    const struct frame *frame, const struct ip *ip, const struct transport *l4, int64_t end,
    const struct columns *columns, struct fragment *records)
{
    word_sum body = 0;
    if (is_body_summed(ip, l4))
        body = sum_octets(frame->octets + ip->payload, body_stop(ip, l4, end) - ip->payload);
    put_outer(columns, frame->row, &NO_IP, &NO_TRANSPORT, NULL, 0, 0);
    put_inner(columns, frame->row, ip, l4, body);
    if (!has_record(ip))
        return 0;
    put_fragment(&records[0], frame->row, ip, ip->stop <= end, body);
    return 1;
}

/* The sums of a VXLAN frame are a chain, so that each octet is read once. */
struct chain {
    word_sum heads; /* from the outer transport header to the inner one */
    word_sum body;  /* from there to the end of the inner packet */
    word_sum total; /* of all, and what follows the inner packet */
    bool headed;    /* the inner checksum field was captured */
};

INLINE void sum_chain(
    const uint8_t *octets, const struct ip *ip, const struct transport *udp, int64_t end,
    const struct ip *inner, const struct transport *l4, int64_t inner_end, struct chain *chain)
{
    const int64_t start = ip->payload;
    const bool body_summed = is_body_summed(inner, l4);
    int64_t reached = start;
    /* The heads decide local checksum offload, even in a frame cut short. */
    chain->headed = l4->coverage != ABSENT && l4->coverage < FIELD_CUT;
    chain->heads = chain->body = 0;
    if (chain->headed || body_summed) {
        reached = inner->payload;
        chain->heads = sum_octets(octets + start, reached - start);
    }
    chain->total = chain->heads;
    if (body_summed) {
        const int64_t stop = body_stop(inner, l4, inner_end);
        chain->body = sum_octets(octets + reached, stop - reached);
        chain->total = append(chain->total, reached - start, chain->body);
        reached = stop;
    }
    if (is_summed(udp->coverage)) {
        const int64_t stop = udp->coverage == FRAGMENT ? end : udp->stop;
        if (stop > reached)
            chain->total = append(
                chain->total, reached - start, sum_octets(octets + reached, stop - reached));
    }
}

/* As scan_plain. */
INLINE int scan_vxlan(
    const struct frame *frame, const struct ip *ip, const struct transport *udp, int64_t end,
    const struct columns *columns, struct fragment *records)
{
    const uint8_t *octets = frame->octets;
    const int64_t start = ip->payload, vxlan = start + UDP_HEADER;
    const bool spill = udp->coverage == FRAGMENT;

    /* What encloses the inner packet: the UDP payload, or the IP payload where UDP's length lies. */
    const bool believed = udp->coverage != MALFORMED || udp->length <= ip->stop - start;
    const int64_t limit = believed ? start + udp->length : ip->stop;
    const int64_t enclosed_end = least(end, limit);
    struct network network = {0};
    struct ip inner;
    struct transport l4;
    struct chain chain;
    find_inner_network(octets, vxlan, udp->dport, enclosed_end, &network);
    read_ip(octets, &network, enclosed_end, limit, &inner);
    const int64_t inner_end = least(enclosed_end, inner.stop);
    read_transport(octets, &inner, inner_end, spill, &l4);
    sum_chain(octets, ip, udp, end, &inner, &l4, inner_end, &chain);

    const uint16_t lco = fold((uint64_t)udp->pseudo + network_order(chain.heads));
    put_outer(columns, frame->row, ip, udp, octets + vxlan, residual_of(udp, chain.total),
              chain.headed ? lco : 0);
    put_inner(columns, frame->row, &inner, &l4, chain.body);

    int count = 0;
    if (has_record(ip))
        put_fragment(&records[count++], frame->row, ip, ip->stop <= end, chain.total);
    if (has_record(&inner)) {
        const uint8_t captured = inner.stop <= inner_end ? 1 : spill ? 2 : 0;
        put_fragment(&records[count], frame->row, &inner, captured, chain.body);
        records[count++].inner = 1;
    }
    return count;
}

/* Write all columns of one frame, and its fragment records; return how many of these. */
INLINE int scan_frame(
    const struct frame *frame, const struct columns *columns,
    struct fragment records[FRAGMENTS_PER_FRAME])
{
    const int64_t row = frame->row;
    struct network network = {0};
    struct ip ip;
    struct transport l4;
    find_network(frame, &network);
    columns->vlan[row] = network.vlan;
    columns->ifindex[row] = network.ifindex;
    columns->direction[row] = frame->direction ? frame->direction : network.direction;

    read_ip(frame->octets, &network, frame->end, frame->limit, &ip);
    if (ip.version == 0) {
        columns->kind[row] = OTHER;
        put_outer(columns, row, &NO_IP, &NO_TRANSPORT, NULL, 0, 0);
        put_inner(columns, row, &NO_IP, &NO_TRANSPORT, 0);
        return 0;
    }
    const int64_t end = least(frame->end, ip.stop);
    read_transport(frame->octets, &ip, end, false, &l4);
    if (is_vxlan(frame, &ip, &l4, end)) {
        columns->kind[row] = VXLAN;
        return scan_vxlan(frame, &ip, &l4, end, columns, records);
    }
    columns->kind[row] = PLAIN;
    return scan_plain(frame, &ip, &l4, end, columns, records);
}

#endif
