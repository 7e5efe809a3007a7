/* What routes.c and vteps.c share: one buffer, a socket of rtnetlink, a batch that is answered once, and a list that is counted. */
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

static int open_socket(void) {
  int octets = 1 << 20;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
  return fd;
}

static unsigned device_named(const char *name) {
  unsigned device = if_nametoindex(name);
  if (device == 0) die(name);
  return device;
}

/* One more attribute of the message that begins at `at`. */
static void put(char *at, int type, const void *value, int length) {
  struct nlmsghdr *header = (struct nlmsghdr *)at;
  struct rtattr *attribute = (struct rtattr *)(at + NLMSG_ALIGN(header->nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = RTA_LENGTH(length);
  memcpy(RTA_DATA(attribute), value, length);
  header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_SPACE(length);
}

/* Sends what lies in the buffer, whose last message asks for an answer. Any error is the end: nothing may be in the way. */
static void send_batch(int fd, int sent) {
  if (send(fd, buffer, sent, 0) != sent) die("send");
  int length = recv(fd, buffer, sizeof buffer, 0);
  if (length < 0) die("recv");
  for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    struct nlmsgerr *answer = NLMSG_DATA(header);
    if (answer->error == 0) continue;
    fprintf(stderr, "message %u: %s\n", header->nlmsg_seq, strerror(-answer->error));
    exit(1);
  }
}

/* Asks for a list, and counts the messages of the type in it that are meant. */
static unsigned count_listed(int fd, const struct nlmsghdr *request, int type, int (*is_meant)(const void *row)) {
  unsigned found = 0;
  if (send(fd, request, request->nlmsg_len, 0) < 0) die("send");
  for (;;) {
    int length = recv(fd, buffer, sizeof buffer, 0);
    if (length < 0) die("recv");
    for (struct nlmsghdr *header = (struct nlmsghdr *)buffer; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
      if (header->nlmsg_type == NLMSG_DONE) return found;
      if (header->nlmsg_type == type && is_meant(NLMSG_DATA(header))) found++;
    }
  }
}
