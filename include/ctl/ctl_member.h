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

/* The members of struct ctl_forward_port in a struct that begins with one, which is `at`. */
#define FORWARD_PORT(type, at)                                                                 \
	MEMBER(type, at proto, "proto", CTL_CHOICE, .names = ctl_forward_proto_names),         \
		MEMBER(type, at host_addr, "host_addr", CTL_ADDR,                              \
		       .has = CTL_FORWARD_PORT_HAS_HOST_ADDR),                                 \
		MEMBER(type, at interface, "interface", CTL_TEXT,                              \
		       .has = CTL_FORWARD_PORT_HAS_INTERFACE),                                 \
		MEMBER(type, at host_port, "host_port", CTL_PORT),                             \
		MEMBER(type, at error, "errno", CTL_UINT),                                     \
		MEMBER(type, at error_name, "errname", CTL_TEXT)

#endif
