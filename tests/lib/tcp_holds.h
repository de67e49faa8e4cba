/* lib/tcp_holds.h: what holds of a TCP connection between batches, whatever came before. */
#ifndef TESTS_LIB_TCP_HOLDS_H
#define TESTS_LIB_TCP_HOLDS_H

struct env;
struct fake_host;

/* Fails unless the numbers of the host's connection go together, and whatever waits has something
 * that wakes it: a timer, an event of the host side, room in the link.  Nothing where it has
 * none. */
void tcp_must_hold(const struct env *env, const struct fake_host *h);

#endif
