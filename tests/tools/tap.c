/*
 * Creates a TAP interface and sets it up: address, MTU, queue, offloads.
 */
#include "tap.h"

#include <err.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_mac(int sock, struct ifreq *ifr, const char *mac)
{
	unsigned char *octet = (unsigned char *)ifr->ifr_hwaddr.sa_data;

	memset(&ifr->ifr_hwaddr, 0, sizeof(ifr->ifr_hwaddr));
	ifr->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", octet, octet + 1, octet + 2, octet + 3,
		   octet + 4, octet + 5) != 6)
		errx(2, "bad MAC address '%s'", mac);
	if (ioctl(sock, SIOCSIFHWADDR, ifr))
		err(1, "set MAC address %s", mac);
}

static void set_mtu(int sock, struct ifreq *ifr, int mtu)
{
	ifr->ifr_mtu = mtu;
	if (ioctl(sock, SIOCSIFMTU, ifr))
		err(1, "set MTU %d", mtu);
}

static void set_queue_len(int sock, struct ifreq *ifr, int queue_len)
{
	ifr->ifr_qlen = queue_len;
	if (ioctl(sock, SIOCSIFTXQLEN, ifr))
		err(1, "set queue length %d", queue_len);
}

static void set_up(int sock, struct ifreq *ifr)
{
	if (ioctl(sock, SIOCGIFFLAGS, ifr))
		err(1, "get flags");
	ifr->ifr_flags |= IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, ifr))
		err(1, "set up");
}

static void enable_offload(int fd, bool segment)
{
	unsigned int flags = TUN_F_CSUM | (segment ? TUN_F_TSO4 | TUN_F_TSO6 : 0);
	int header_len = sizeof(struct virtio_net_hdr_mrg_rxbuf);

	if (ioctl(fd, TUNSETVNETHDRSZ, &header_len) || ioctl(fd, TUNSETOFFLOAD, flags))
		err(1, "enable offloads");
}

int tap_open(const struct tap_conf *conf)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd, sock;

	if (strlen(conf->name) >= sizeof(ifr.ifr_name))
		errx(2, "interface name '%s' is too long", conf->name);
	strcpy(ifr.ifr_name, conf->name);
	if (conf->offload)
		ifr.ifr_flags |= IFF_VNET_HDR;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		err(1, "/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr))
		err(1, "create TAP interface %s", conf->name);
	if (conf->offload)
		enable_offload(fd, conf->segment);

	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		err(1, "socket");
	if (conf->mac)
		set_mac(sock, &ifr, conf->mac);
	if (conf->mtu)
		set_mtu(sock, &ifr, conf->mtu);
	if (conf->queue_len)
		set_queue_len(sock, &ifr, conf->queue_len);
	set_up(sock, &ifr);
	close(sock);
	return fd;
}
