/* lib/fake_forwards.h: port forwards without sockets: port 80 is taken, every other can be had. */
#ifndef TESTS_LIB_FAKE_FORWARDS_H
#define TESTS_LIB_FAKE_FORWARDS_H

#include "proto/forward.h"

extern unsigned fake_forwards_n_open; /* ports */

/* Gives `env` a table of forwards, and takes it away; nothing is open afterwards. */
void fake_forwards_open(struct env *env);
void fake_forwards_close(struct env *env);

#endif
