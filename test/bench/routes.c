/* The same routes by the shortest way there is: many messages a system call, one acknowledgement a batch, and one list to read them back.
 * routes COUNT GATEWAY DEVICE: adds COUNT /26 routes from 10.0.0.0 up, prints milliseconds to add and to read back. */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1024
#define PROTOCOL 80
#define METRIC 1024

struct request {
  struct nlmsghdr header;
  struct rtmsg route;
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

static void put(struct nlmsghdr *header, int type, unsigned value) {
  struct rtattr *attribute = (struct rtattr *)((char *)header + header->nlmsg_len);
  attribute->rta_type = type;
  attribute->rta_len = RTA_LENGTH(4);
  memcpy(RTA_DATA(attribute), &value, 4);
  header->nlmsg_len += RTA_LENGTH(4);
}

static int write_route(char *at, unsigned number, int flags, unsigned gateway, unsigned device) {
  struct request *request = (struct request *)at;
  memset(request, 0, sizeof *request);
  request->header.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg));
  request->header.nlmsg_type = RTM_NEWROUTE;
  request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | flags;
  request->header.nlmsg_seq = number + 1;
  request->route.rtm_family = AF_INET;
  request->route.rtm_dst_len = 26;
  request->route.rtm_table = RT_TABLE_MAIN;
  request->route.rtm_protocol = PROTOCOL;
  request->route.rtm_type = RTN_UNICAST;
  put(&request->header, RTA_DST, htonl(0x0a000000u + number * 64));
  put(&request->header, RTA_GATEWAY, gateway);
  put(&request->header, RTA_PRIORITY, METRIC);
  put(&request->header, RTA_OIF, device);
  return request->header.nlmsg_len;
}

/* Any error is the end: nothing may be in the way of these routes. */
static void wait_for_ack(int fd) {
  int length = recv(fd, buffer, sizeof buffer, 0);
  if (length < 0) die("recv");
  for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    int error = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
    if (error != 0) {
      fprintf(stderr, "route %u: %s\n", header->nlmsg_seq - 1, strerror(-error));
      exit(1);
    }
  }
}

static void add_routes(int fd, unsigned count, unsigned gateway, unsigned device) {
  for (unsigned from = 0; from < count; from += BATCH) {
    unsigned to = from + BATCH < count ? from + BATCH : count;
    int length = 0;
    for (unsigned number = from; number < to; number++)
      length += write_route(buffer + length, number, number == to - 1 ? NLM_F_ACK : 0, gateway, device);
    if (send(fd, buffer, length, 0) != length) die("send");
    wait_for_ack(fd);
  }
}

static unsigned count_routes(int fd) {
  struct request request;
  unsigned found = 0;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg));
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.route.rtm_family = AF_INET;
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) die("send");
  for (;;) {
    int length = recv(fd, buffer, sizeof buffer, 0);
    if (length < 0) die("recv");
    for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
      if (header->nlmsg_type == NLMSG_DONE) return found;
      if (header->nlmsg_type == RTM_NEWROUTE && ((struct rtmsg *)NLMSG_DATA(header))->rtm_protocol == PROTOCOL) found++;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "routes COUNT GATEWAY DEVICE\n");
    return 2;
  }
  unsigned count = strtoul(argv[1], NULL, 10);
  unsigned device = if_nametoindex(argv[3]);
  if (device == 0) die(argv[3]);
  int octets = 1 << 20;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
  double began = now_ms();
  add_routes(fd, count, inet_addr(argv[2]), device);
  double added = now_ms();
  unsigned found = count_routes(fd);
  double read_back = now_ms();
  close(fd);
  if (found != count) {
    fprintf(stderr, "%u of %u routes are there\n", found, count);
    return 1;
  }
  printf("%.3f %.3f\n", added - began, read_back - added);
  return 0;
}
