/* proto/reassembly.h: puts the guest's fragmented datagrams together (RFC 791 3.2, RFC 815; RFC
 * 8200 4.5).
 *
 * Bounded in number (conf limits.fragments, the oldest gives way), in memory (64 KiB each) and
 * in time (conf timeouts.fragment).  A lower limit ends nothing that is under way.
 */
#ifndef PROTO_REASSEMBLY_H
#define PROTO_REASSEMBLY_H

#include "proto/env.h"

/* NULL without memory. */
struct reassembly *reassembly_new(struct env *env);
void reassembly_free(struct reassembly *r);

/* Takes one fragment.  When it was the last one missing, *complete is true and `whole` is the
 * datagram as pkt_decode() leaves a packet, whose result is returned.  Its views are valid until the
 * next call, so the caller ends the batch (demux_batch_end()) once the handler is through with it.
 * Of a fragment that is dropped because it is malformed, `whole` is a copy with the problem that its
 * sender is to be told of, in whole->chain; otherwise that tells of no problem.
 *
 * Fragments that overlap others are taken if they carry the same bytes; else the whole
 * datagram is dropped (as RFC 5722 demands for IPv6). */
enum drop reassembly_from_guest(struct env *env, const struct pkt *fragment, struct pkt *whole,
				bool *complete);

/* Datagrams under way. */
size_t reassembly_count(const struct env *env);

/* Gives back memory that a lower limit has no use for. */
void reassembly_trim(struct env *env);

/* Forgets all fragments: the guest left. */
void reassembly_reset(struct env *env);

#endif
