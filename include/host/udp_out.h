/* host/udp_out.h: datagrams on their way out of a UDP socket: in as few messages as can be, with DF
 * as the guest has it. */
#ifndef HOST_UDP_OUT_H
#define HOST_UDP_OUT_H

#include "host/sock.h"

struct msghdr;

/* A socket, as far as it sends in one family. */
struct udp_out {
	int fd;
	bool ip6;
	enum sock_fragments fragments; /* as the socket is set */
};

/* Sets the socket for datagrams with DF. */
struct udp_out udp_out_init(int fd, bool ip6);

/* Sends datagrams as udp_host_ops.send(), with DF or without it as udp_host_ops.set_ip().  `common` has
 * the address and the control messages of each, up to UDP_OUT_CONTROL_MAX bytes. */
int udp_out_send(struct udp_out *o, struct udp_path *path, bool dont_fragment,
		 const struct msghdr *common, const struct iovec *datagrams, int n);

#define UDP_OUT_CONTROL_MAX 96

#endif
