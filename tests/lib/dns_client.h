/* lib/dns_client.h: a guest that asks the relay at 10.0.2.3 over UDP, and its name servers.
 *
 *	client_start(2);                  // name servers 192.0.2.1 and 192.0.2.2
 *	len = client_ask(1, "a.example");
 *	fake_dns_answer(&up, 0, &good);
 *	client_assert_answer(len, &good);
 *	client_finish();
 */
#ifndef TESTS_LIB_DNS_CLIENT_H
#define TESTS_LIB_DNS_CLIENT_H

#include "lib/fake_dns.h"
#include "lib/fake_guest.h"

#define GUEST_PORT 40000

extern struct fake_guest g;
extern struct fake_dns up;
extern uint8_t query[DNS_QUERY_MAX]; /* the last one asked */
extern struct pkt answer;	     /* the last one that client_answered() saw */

/* Everything but the relay, for tests that change settings first. */
void client_setup(unsigned n_servers);
void client_start(unsigned n_servers);

/* Frees all; fails the test if a socket or a timer is left. */
void client_finish(void);

enum drop client_from_guest(uint16_t port, const uint8_t *msg, size_t len);

/* Ask for A, for another type, for A of www.example.org with an OPT record; from GUEST_PORT.
 * Return the query's length. */
size_t client_ask(uint16_t id, const char *name);
size_t client_ask_type(uint16_t id, const char *name, uint16_t type);
size_t client_ask_edns(uint16_t id, uint16_t size, uint32_t ttl, const void *options, size_t n);

/* Whether an answer came since the last call; fails the test for more than one. */
bool client_answered(void);

/* Of the answer. */
unsigned client_rcode(void);

/* Fails the test unless an answer came, and is what the server says to `query`, byte by byte.
 */
void client_assert_answer(size_t query_len, const struct dns_made *how);

#endif
