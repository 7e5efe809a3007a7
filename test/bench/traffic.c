/* Traffic between pairs of network namespaces, in short bursts that take turns, so that whatever else the machine does hits all pairs alike.
 * traffic tcp|udp|rtt ROUNDS MILLISECONDS [CLIENT SERVER ADDRESS]...: a line a round, a number a pair: MB/s, packets/s, or microseconds there
 * and back. Both ends are sockets of this one process: the whole way of a packet is walked by whoever sends it, and no scheduler is measured. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 5201
#define SMALL 64
#define TOGETHER 32
#define MOST_PAIRS 32
#define LATE_MS 1000
#define MOST_TRIES 20

struct pair {
  const char *name;
  int client, server;
};

typedef double burst_function(struct pair *, double until);

static char chunk[64 << 10];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int socket_in(const char *namespace, int type) {
  int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  int other = open(namespace, O_RDONLY | O_CLOEXEC);
  if (own < 0 || other < 0 || setns(other, CLONE_NEWNET) < 0) die(namespace);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  if (setns(own, CLONE_NEWNET) < 0) die("setns");
  close(own);
  close(other);
  return fd;
}

static struct pair open_pair(char **words, int type) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
  struct sockaddr_in client_at;
  socklen_t length = sizeof client_at;
  struct pair pair = {.name = words[0], .client = socket_in(words[0], type), .server = socket_in(words[1], type)};
  int yes = 1;
  setsockopt(pair.server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  at.sin_addr.s_addr = inet_addr(words[2]);
  if (bind(pair.server, (struct sockaddr *)&at, sizeof at) < 0) die("bind");
  if (type == SOCK_STREAM && listen(pair.server, 1) < 0) die("listen");
  if (connect(pair.client, (struct sockaddr *)&at, sizeof at) < 0) die("connect");
  if (getsockname(pair.client, (struct sockaddr *)&client_at, &length) < 0) die("getsockname");
  if (type == SOCK_DGRAM && connect(pair.server, (struct sockaddr *)&client_at, length) < 0) die("connect back");
  if (type == SOCK_STREAM) {
    int accepted = accept(pair.server, NULL, NULL);
    if (accepted < 0) die("accept");
    close(pair.server);
    pair.server = accepted;
  }
  fcntl(pair.client, F_SETFL, O_NONBLOCK);
  fcntl(pair.server, F_SETFL, O_NONBLOCK);
  return pair;
}

/* What one end takes until there is no more; waits when there is nothing yet. */
static long take(struct pair *pair, int fd) {
  struct pollfd readable = {.fd = fd, .events = POLLIN};
  long got = recv(fd, chunk, sizeof chunk, 0);
  if (got > 0) return got;
  if (got == 0 || errno != EAGAIN) die("recv");
  if (poll(&readable, 1, LATE_MS) > 0) return 0;
  fprintf(stderr, "%s: nothing arrives\n", pair->name);
  exit(1);
}

static double tcp_burst(struct pair *pair, double until) {
  double began = now_us(), octets = 0;
  while (now_us() < until) {
    long sent = send(pair->client, chunk, sizeof chunk, 0);
    if (sent < 0 && errno != EAGAIN) die("send");
    octets += take(pair, pair->server);
  }
  return octets / (now_us() - began);
}

static double udp_burst(struct pair *pair, double until) {
  double began = now_us(), packets = 0;
  while (now_us() < until) {
    for (int i = 0; i < TOGETHER; i++)
      if (send(pair->client, chunk, SMALL, 0) != SMALL) die("send");
    for (int i = 0; i < TOGETHER;) i += take(pair, pair->server) > 0;
    packets += TOGETHER;
  }
  return packets / (now_us() - began) * 1e6;
}

static double rtt_burst(struct pair *pair, double until) {
  double began = now_us(), trips = 0;
  while (now_us() < until) {
    if (send(pair->client, chunk, SMALL, 0) != SMALL) die("send");
    while (take(pair, pair->server) == 0);
    if (send(pair->server, chunk, SMALL, 0) != SMALL) die("send back");
    while (take(pair, pair->client) == 0);
    trips++;
  }
  return (now_us() - began) / trips;
}

static long switches(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* A burst in which others had the processor tells of them, and is done again. */
static double undisturbed(burst_function *burst, struct pair *pair, double length) {
  for (int tries = 1;; tries++) {
    long before = switches();
    double rate = burst(pair, now_us() + length);
    if (switches() == before || tries == MOST_TRIES) return rate;
  }
}

int main(int argc, char **argv) {
  int count = (argc - 4) / 3;
  if (argc < 7 || (argc - 4) % 3 != 0 || count > MOST_PAIRS) {
    fprintf(stderr, "traffic tcp|udp|rtt ROUNDS MILLISECONDS [CLIENT SERVER ADDRESS]...\n");
    return 2;
  }
  int stream = strcmp(argv[1], "tcp") == 0;
  burst_function *burst = stream ? tcp_burst : strcmp(argv[1], "udp") == 0 ? udp_burst : rtt_burst;
  int rounds = atoi(argv[2]);
  double length = atof(argv[3]) * 1000;
  struct pair pairs[MOST_PAIRS];
  double rates[MOST_PAIRS];
  for (int i = 0; i < count; i++) pairs[i] = open_pair(argv + 4 + 3 * i, stream ? SOCK_STREAM : SOCK_DGRAM);
  /* Once uncounted: TCP begins slowly. Everybody is first in turn, because the first after a pause meets a cold cache. */
  for (int i = 0; i < count; i++) burst(&pairs[i], now_us() + 20 * length);
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < count; i++) {
      int at = (i + round) % count;
      rates[at] = undisturbed(burst, &pairs[at], length);
    }
    for (int i = 0; i < count; i++) printf("%.3f%c", rates[i], i == count - 1 ? '\n' : ' ');
  }
  return 0;
}
