/* host/tcp_info.c: TCP_INFO, by the kernel's own header, which the C library's does not go along
 * with. */
#include "host/tcp_info.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static uint64_t queue(int fd, unsigned long which)
{
	int bytes = 0;

	return ioctl(fd, which, &bytes) || bytes < 0 ? 0 : (uint64_t)bytes;
}

bool tcp_info_read(int fd, struct flow_kernel *k)
{
	struct tcp_info i = { 0 };
	socklen_t len = sizeof(i), name_len = sizeof(k->congestion);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len))
		return false;
	*k = (struct flow_kernel){
		.rtt_us = i.tcpi_rtt,
		.rttvar_us = i.tcpi_rttvar,
		.mss = i.tcpi_snd_mss,
		.cwnd = i.tcpi_snd_cwnd,
		.retransmits = i.tcpi_total_retrans,
		.unacked_retransmits = i.tcpi_retrans,
		.unanswered = i.tcpi_retransmits,
		.send_queue = queue(fd, SIOCOUTQ),
		.recv_queue = queue(fd, SIOCINQ),
		.peer_window = i.tcpi_snd_wnd,
		.peer_window_known = len >= offsetof(struct tcp_info, tcpi_snd_wnd) +
						    sizeof(i.tcpi_snd_wnd),
	};
	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, k->congestion, &name_len))
		k->congestion[0] = '\0';
	k->congestion[sizeof(k->congestion) - 1] = '\0';
	return true;
}
