/* The same routes by the shortest way there is: many messages a system call, one acknowledgement a batch, and one list to read them back.
 * routes COUNT GATEWAY DEVICE: adds COUNT /26 routes from 10.0.0.0 up, prints milliseconds to add and to read back. */
#include "batch.h"

#define BATCH 1024
#define PROTOCOL 80
#define METRIC 1024

struct request {
  struct nlmsghdr header;
  struct rtmsg route;
  char attributes[32];
};

static int write_route(char *at, unsigned number, int flags, unsigned gateway, unsigned device) {
  struct request *request = (struct request *)at;
  unsigned destination = htonl(0x0a000000u + number * 64), metric = METRIC;
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
  put(at, RTA_DST, &destination, 4);
  put(at, RTA_GATEWAY, &gateway, 4);
  put(at, RTA_PRIORITY, &metric, 4);
  put(at, RTA_OIF, &device, 4);
  return request->header.nlmsg_len;
}

static void add_routes(int fd, unsigned count, unsigned gateway, unsigned device) {
  for (unsigned from = 0; from < count; from += BATCH) {
    unsigned to = from + BATCH < count ? from + BATCH : count;
    int length = 0;
    for (unsigned number = from; number < to; number++)
      length += write_route(buffer + length, number, number == to - 1 ? NLM_F_ACK : 0, gateway, device);
    send_batch(fd, length);
  }
}

static int is_ours(const void *row) {
  return ((const struct rtmsg *)row)->rtm_protocol == PROTOCOL;
}

static unsigned count_routes(int fd) {
  struct request request;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg));
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.route.rtm_family = AF_INET;
  return count_listed(fd, &request.header, RTM_NEWROUTE, is_ours);
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "routes COUNT GATEWAY DEVICE\n");
    return 2;
  }
  unsigned count = strtoul(argv[1], NULL, 10);
  unsigned device = device_named(argv[3]);
  int fd = open_socket();
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
