/* Asks the agent of this node over its unix socket. */
#define _POSIX_C_SOURCE 200809L
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST_ANSWER = 16 << 20, PIECE = 65536 };

/* A connection that is used until a moment of the monotonic clock, in milliseconds. */
struct connection {
  int socket;
  long long until;
};

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The kernel gives up by itself when the time is over: errno is then EAGAIN. False where it is over already. */
static bool limit(const struct connection *connection) {
  const long long left = connection->until - now_ms();
  if (left <= 0) {
    errno = EAGAIN;
    return false;
  }
  const struct timeval time = {.tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000 * 1000)};
  return setsockopt(connection->socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0 &&
         setsockopt(connection->socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0;
}

static bool send_all(const struct connection *connection, const char *at, size_t left) {
  while (left > 0) {
    if (!limit(connection)) return false;
    const ssize_t sent = send(connection->socket, at, left, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    at += sent;
    left -= (size_t)sent;
  }
  return true;
}

/* The connection's end is the answer's end: so it is in HTTP/1.0. */
static bool receive_all(const struct connection *connection, struct text *answer) {
  static char piece[PIECE];
  while (answer->length <= LARGEST_ANSWER) {
    if (!limit(connection)) return false;
    const ssize_t got = recv(connection->socket, piece, sizeof piece, 0);
    if (got == 0) return true;
    if (got < 0 && errno != EINTR) return false;
    if (got > 0) text_add(answer, piece, (size_t)got);
  }
  errno = EMSGSIZE;
  return false;
}

static bool connect_to(const struct connection *connection, struct span path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.length >= sizeof address.sun_path || memchr(path.at, '\0', path.length) != NULL) {
    errno = ENAMETOOLONG;
    return false;
  }
  memcpy(address.sun_path, path.at, path.length);
  return limit(connection) && connect(connection->socket, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* By name, as people search for it. */
static const char *name_of(int error) {
  static const struct {
    int error;
    const char *name;
  } known[] = {{ENOENT, "ENOENT"}, {ECONNREFUSED, "ECONNREFUSED"}, {EACCES, "EACCES"}, {ECONNRESET, "ECONNRESET"},
               {EPIPE, "EPIPE"},   {ENAMETOOLONG, "ENAMETOOLONG"}, {EPERM, "EPERM"},   {ENOTSOCK, "ENOTSOCK"},
               {EMFILE, "EMFILE"}, {EPROTOTYPE, "EPROTOTYPE"},     {EMSGSIZE, "EMSGSIZE"}};
  for (size_t at = 0; at < sizeof known / sizeof *known; at++)
    if (known[at].error == error) return known[at].name;
  return strerror(error);
}

static void explain(struct text *why, const char *act, int error, struct span path, long deadline_ms) {
  if (error == EAGAIN || error == EWOULDBLOCK) {
    char words[64];
    snprintf(words, sizeof words, "nothing came within %g s", (double)deadline_ms / 1000);
    text_say(why, words);
    return;
  }
  text_say(why, act);
  text_say(why, " ");
  text_say(why, name_of(error));
  text_say(why, " ");
  text_add(why, path.at, path.length);
}

/* Empty where there is no head, or it is not whole. */
static struct span behind_head(const struct text *answer) {
  for (size_t at = 0; at + 4 <= answer->length; at++)
    if (memcmp(answer->at + at, "\r\n\r\n", 4) == 0) return (struct span){answer->at + at + 4, answer->length - at - 4};
  return (struct span){"", 0};
}

bool agent_ask(struct span path, struct span body, long deadline_ms, struct text *answer, struct text *why) {
  const struct connection connection = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), now_ms() + deadline_ms};
  char head[128];
  const int length = snprintf(head, sizeof head, "POST /cni HTTP/1.0\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", body.length);
  struct text whole = {0};
  const char *act = "connect";
  bool done = connection.socket >= 0 && connect_to(&connection, path);
  if (done) {
    act = "write";
    done = send_all(&connection, head, (size_t)length) && send_all(&connection, body.at, body.length);
  }
  if (done) {
    act = "read";
    done = receive_all(&connection, &whole);
  }
  if (!done) explain(why, act, errno, path, deadline_ms);
  if (connection.socket >= 0) close(connection.socket);
  const struct span behind = behind_head(&whole);
  text_add(answer, behind.at, behind.length);
  return done;
}
