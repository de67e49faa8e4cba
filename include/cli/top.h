/* cli/top.h: posternctl top, between the daemon and the terminal. */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "cli/client.h"
#include "cli/top_model.h"

struct top_args {
#define TOP_HAS_BATCH  0x01u
#define TOP_HAS_ROUNDS 0x02u
#define TOP_HAS_DELAY  0x04u
#define TOP_HAS_SORT   0x08u
#define TOP_HAS_PROTO  0x10u
#define TOP_HAS_CLOSED 0x20u
	uint32_t has;
	bool batch, closed;
	uint64_t rounds, delay; /* seconds */
	unsigned sort, proto;	/* enum top_sort; of ctl_proto_names */
};
extern const struct ctl_message top_args_message;

/* Until the user has enough, or the rounds are done.  A connection that ends is made anew.  0, or -1
 * with the reason in `error`. */
int top_live(struct client *client, const struct top_args *args, char error[static CTL_ERROR_MAX]);

/* The same as text, one round after the other; the first comes after the first delay, since only
 * then there are rates.  A connection that ends is an error. */
int top_batch(struct client *client, const struct top_args *args, FILE *out,
	      char error[static CTL_ERROR_MAX]);

/* Milliseconds of a clock that only goes on. */
uint64_t top_now_ms(void);

/* The seconds between two samples that are asked for, or usual. */
unsigned top_delay(const struct top_args *args);

/* The model as the arguments want it, without a sample. */
struct top_model top_model_of(const struct top_args *args);

#endif
