/* Hostile frames, both ways, into captures: what is stored is a file, and no more than was asked for. */
#include <stdlib.h>

#include "base/log.h"
#include "lib/fake_capture.h"
#include "lib/fake_flow.h"
#include "wire/eth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct captured frames[FAKE_CAPTURE_FRAMES];

static void no_log(enum log_level level, enum log_unit unit, const char *line)
{
}

static void start(struct env *env, struct capture_spec spec)
{
	uint64_t id;

	if (captures_start(env->captures, &spec, -1, &id))
		abort();
}

static void check(const struct fake_sink *sink, size_t n, size_t len_max)
{
	bool has_end;

	if (fake_capture_read(sink, frames, &has_end) != n || !has_end)
		abort();
	for (size_t i = 0; i < n; i++)
		if (frames[i].len > frames[i].original_len || frames[i].len > len_max)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake_capture fake;
	struct env env = { .now_ns = 1 };

	if (size > ETH_FRAME_MAX)
		return 0;
	log_set_sink(no_log);
	fake_capture_init(&fake);
	if (flow_table_init(&env.flows, 64) || !captures_new(&env, &fake_capture_ops, &fake))
		abort();
	fake_flow_open(&env, 1000);
	start(&env, (struct capture_spec){ 0 });
	start(&env, (struct capture_spec){ .headers = true, .snaplen = 100 });
	start(&env, (struct capture_spec){ .port = 80, .addr_set = true, .ring = CAPTURE_RING_MIN });
	capture_frame_begins(&env);
	capture_to_guest(&env, data, size);
	capture_from_guest(&env, data, size, size % 2 ? DROP_NONE : DROP_MEMORY);
	captures_free(env.captures);
	check(&fake.sinks[0], 2, size);
	check(&fake.sinks[1], 2, 100);
	fake_capture_free(&fake);
	fake_flow_close_all(&env);
	flow_table_free(&env.flows);
	timerq_free(&env.timers);
	return 0;
}
