/* host/tcp_info.h: what the kernel tells of a TCP socket. */
#ifndef HOST_TCP_INFO_H
#define HOST_TCP_INFO_H

#include "flow/details.h"

/* False where it tells nothing. */
bool tcp_info_read(int fd, struct flow_kernel *k);

#endif
