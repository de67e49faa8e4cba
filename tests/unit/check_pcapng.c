/* pcapng blocks, byte for byte. */
#include "wire/pcapng.h"

#include "lib/fake_guest.h"
#include "lib/suite.h"

START_TEST(section)
{
	uint8_t buf[PCAPNG_SECTION_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	pcapng_encode_section(&w, &(struct pcapng_section){ .application = "postern", .comment = "why" });
	ck_assert(!w.error);
	assert_bytes(buf, wr_len(&w),
		     "0a0d0d0a 00000034 1a2b3c4d 0001 0000 ffffffffffffffff"
		     "0001 0003 77687900" /* comment */
		     "0004 0007 706f737465726e00" /* application */
		     "0000 0000 00000034");
	ck_assert_uint_eq(pcapng_block_len(buf), 0x34);
}
END_TEST

START_TEST(interface)
{
	uint8_t buf[PCAPNG_INTERFACE_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	pcapng_encode_interface(&w, &(struct pcapng_interface){ .name = "guest", .description = "link",
								.snaplen = 96 });
	ck_assert(!w.error);
	assert_bytes(buf, wr_len(&w),
		     "00000001 00000034 0001 0000 00000060"
		     "0002 0005 6775657374000000"
		     "0003 0004 6c696e6b"
		     "0009 0001 09000000" /* nanoseconds */
		     "0000 0000 00000034");
}
END_TEST

START_TEST(packet)
{
	static const uint8_t frame[] = { 1, 2, 3, 4, 5 };
	uint8_t buf[sizeof(frame) + PCAPNG_PACKET_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	pcapng_encode_packet(&w, &(struct pcapng_packet){ .time_ns = 0x0102030405060708,
							  .direction = PCAPNG_INBOUND,
							  .data = frame,
							  .len = sizeof(frame),
							  .original_len = 60,
							  .n_lost = 2,
							  .comments = { "flow 7", "drop.arp" },
							  .n_comments = 2 });
	ck_assert(!w.error);
	assert_bytes(buf, wr_len(&w),
		     "00000006 00000058 00000000 01020304 05060708 00000005 0000003c"
		     "0102030405000000"
		     "0002 0004 00000001" /* inbound */
		     "0004 0008 0000000000000002" /* lost before it */
		     "0001 0006 666c6f7720370000"
		     "0001 0008 64726f702e617270"
		     "0000 0000 00000058");
}
END_TEST

START_TEST(bare_packet)
{
	uint8_t buf[PCAPNG_PACKET_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	pcapng_encode_packet(&w, &(struct pcapng_packet){ .direction = PCAPNG_OUTBOUND,
							  .original_len = 60 });
	assert_bytes(buf, wr_len(&w),
		     "00000006 0000002c 00000000 00000000 00000000 00000000 0000003c"
		     "0002 0004 00000002 0000 0000 0000002c");
}
END_TEST

START_TEST(statistics)
{
	uint8_t buf[PCAPNG_STATISTICS_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	pcapng_encode_statistics(&w, &(struct pcapng_statistics){ .start_ns = 1,
								  .end_ns = 0x100000002,
								  .received = 10,
								  .accepted = 9,
								  .dropped = 3,
								  .delivered = 6,
								  .comment = "end" });
	ck_assert(!w.error);
	assert_bytes(buf, wr_len(&w),
		     "00000005 0000006c 00000000 00000001 00000002"
		     "0001 0003 656e6400"
		     "0002 0008 0000000000000001"
		     "0003 0008 0000000100000002"
		     "0004 0008 000000000000000a"
		     "0005 0008 0000000000000003"
		     "0006 0008 0000000000000009"
		     "0008 0008 0000000000000006"
		     "0000 0000 0000006c");
}
END_TEST

/* The bounds hold for the longest texts, and texts beyond them are cut. */
START_TEST(bounds)
{
	char text[2 * PCAPNG_TEXT_MAX];
	uint8_t buf[4096];
	struct wr w;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	w = wr_init(buf, sizeof(buf));
	pcapng_encode_section(&w, &(struct pcapng_section){ text, text });
	ck_assert_uint_le(wr_len(&w), PCAPNG_SECTION_MAX);
	w = wr_init(buf, sizeof(buf));
	pcapng_encode_interface(&w, &(struct pcapng_interface){ text, text, 0 });
	ck_assert_uint_le(wr_len(&w), PCAPNG_INTERFACE_MAX);
	w = wr_init(buf, sizeof(buf));
	pcapng_encode_packet(&w, &(struct pcapng_packet){ .data = buf, .len = 1, .n_lost = 1,
							  .comments = { text, text },
							  .n_comments = PCAPNG_COMMENTS_MAX });
	ck_assert_uint_le(wr_len(&w), 1 + PCAPNG_PACKET_MAX);
	w = wr_init(buf, sizeof(buf));
	pcapng_encode_statistics(&w, &(struct pcapng_statistics){ .comment = text });
	ck_assert_uint_le(wr_len(&w), PCAPNG_STATISTICS_MAX);
	ck_assert(!w.error);

	w = wr_init(buf, PCAPNG_STATISTICS_MAX / 8);
	pcapng_encode_statistics(&w, &(struct pcapng_statistics){ .comment = text });
	ck_assert(w.error);
}
END_TEST

SUITE_MAIN("pcapng", section, interface, packet, bare_packet, statistics, bounds)
