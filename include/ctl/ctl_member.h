/* ctl/ctl_member.h: what the tables of messages are written with. */
#ifndef CTL_CTL_MEMBER_H
#define CTL_CTL_MEMBER_H

#include "ctl/ctl_msg.h"

#define MEMBER(type, member, json, what, ...)                                                  \
	{                                                                                      \
		.name = (json), .kind = (what), .offset = offsetof(struct type, member),       \
		__VA_ARGS__                                                                    \
	}
#define MESSAGE(type)                                                                          \
	const struct ctl_message type##_message = { sizeof(struct type), type##_fields,        \
						    sizeof(type##_fields) /                    \
							    sizeof(type##_fields[0]) }

#endif
