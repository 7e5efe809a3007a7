/* The same far ends of VXLAN by the shortest way there is: many messages a system call, one acknowledgement a batch, and two lists to read them
 * back. vteps COUNT DEVICE: a permanent neighbour and a forwarding entry each, prints milliseconds to add and to read back. */
#include "batch.h"
#include <linux/neighbour.h>

#define BATCH 512
#define FIRST_ADDRESS 0x0a000000u
#define FIRST_REMOTE 0xac100000u

struct request {
  struct nlmsghdr header;
  struct ndmsg neighbour;
  char attributes[32];
};

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
  put(at, NDA_DST, &address, sizeof address);
  put(at, NDA_LLADDR, mac, sizeof mac);
  return request->header.nlmsg_len;
}

static void add_entries(int fd, unsigned count, int device) {
  for (unsigned from = 0; from < count; from += BATCH) {
    unsigned to = from + BATCH < count ? from + BATCH : count;
    int length = 0;
    for (unsigned number = from; number < to; number++) {
      length += write_entry(buffer + length, number, AF_INET, 0, device);
      length += write_entry(buffer + length, number, AF_BRIDGE, number == to - 1 ? NLM_F_ACK : 0, device);
    }
    send_batch(fd, length);
  }
}

static int is_permanent(const void *row) {
  return ((const struct ndmsg *)row)->ndm_state & NUD_PERMANENT;
}

static unsigned count_entries(int fd, int family) {
  struct request request;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg));
  request.header.nlmsg_type = RTM_GETNEIGH;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.neighbour.ndm_family = family;
  return count_listed(fd, &request.header, RTM_NEWNEIGH, is_permanent);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "vteps COUNT DEVICE\n");
    return 2;
  }
  unsigned count = strtoul(argv[1], NULL, 10);
  int device = device_named(argv[2]);
  int fd = open_socket();
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
