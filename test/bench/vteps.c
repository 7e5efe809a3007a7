/* The same far ends of VXLAN by the shortest way there is: many messages a system call, one acknowledgement a batch, and two lists to read them
 * back. vteps COUNT DEVICE: a permanent neighbour and a forwarding entry each, prints milliseconds to add and to read back. */
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 512
#define FIRST_ADDRESS 0x0a000000u
#define FIRST_REMOTE 0xac100000u

struct request {
  struct nlmsghdr header;
  struct ndmsg neighbour;
  char attributes[32];
};

static char buffer[256 << 10];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void put(struct nlmsghdr *header, int type, const void *value, int length) {
  struct rtattr *attribute = (struct rtattr *)((char *)header + NLMSG_ALIGN(header->nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = RTA_LENGTH(length);
  memcpy(RTA_DATA(attribute), value, length);
  header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_SPACE(length);
}

static int write_entry(char *at, unsigned number, int family, int flags, int device) {
  struct request *request = (struct request *)at;
  unsigned char mac[6] = {0x66, 0, number >> 24, number >> 16, number >> 8, number};
  unsigned address = htonl((family == AF_INET ? FIRST_ADDRESS : FIRST_REMOTE) + number);
  memset(request, 0, sizeof *request);
  request->header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg));
  request->header.nlmsg_type = RTM_NEWNEIGH;
  request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | flags;
  request->neighbour.ndm_family = family;
  request->neighbour.ndm_ifindex = device;
  request->neighbour.ndm_state = family == AF_INET ? NUD_PERMANENT : NUD_PERMANENT | NUD_NOARP;
  request->neighbour.ndm_flags = family == AF_INET ? 0 : NTF_SELF;
  put(&request->header, NDA_DST, &address, sizeof address);
  put(&request->header, NDA_LLADDR, mac, sizeof mac);
  return request->header.nlmsg_len;
}

/* Any error is the end: nothing may be in the way of these entries. */
static void wait_for_ack(int fd) {
  int length = recv(fd, buffer, sizeof buffer, 0);
  if (length < 0) die("recv");
  for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    int error = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
    if (error == 0) continue;
    fprintf(stderr, "%s\n", strerror(-error));
    exit(1);
  }
}

static void add_entries(int fd, unsigned count, int device) {
  for (unsigned from = 0; from < count; from += BATCH) {
    unsigned to = from + BATCH < count ? from + BATCH : count;
    int length = 0;
    for (unsigned number = from; number < to; number++) {
      length += write_entry(buffer + length, number, AF_INET, 0, device);
      length += write_entry(buffer + length, number, AF_BRIDGE, number == to - 1 ? NLM_F_ACK : 0, device);
    }
    if (send(fd, buffer, length, 0) != length) die("send");
    wait_for_ack(fd);
  }
}

static unsigned count_entries(int fd, int family) {
  struct request request;
  unsigned found = 0;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg));
  request.header.nlmsg_type = RTM_GETNEIGH;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.neighbour.ndm_family = family;
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) die("send");
  for (;;) {
    int length = recv(fd, buffer, sizeof buffer, 0);
    if (length < 0) die("recv");
    for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
      if (header->nlmsg_type == NLMSG_DONE) return found;
      if (header->nlmsg_type == RTM_NEWNEIGH && (((struct ndmsg *)NLMSG_DATA(header))->ndm_state & NUD_PERMANENT)) found++;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "vteps COUNT DEVICE\n");
    return 2;
  }
  unsigned count = strtoul(argv[1], NULL, 10);
  int device = if_nametoindex(argv[2]);
  if (device == 0) die(argv[2]);
  int octets = 1 << 20;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
  double began = now_ms();
  add_entries(fd, count, device);
  double added = now_ms();
  unsigned neighbours = count_entries(fd, AF_INET);
  unsigned entries = count_entries(fd, AF_BRIDGE);
  double read_back = now_ms();
  close(fd);
  if (neighbours < count || entries < count) {
    fprintf(stderr, "%u neighbours and %u forwarding entries of %u are there\n", neighbours, entries, count);
    return 1;
  }
  printf("%.3f %.3f\n", added - began, read_back - added);
  return 0;
}
