/*
 * Plays a container runtime with a clock: starts a CNI plugin for each pod that standard input names, one after another or all at once, and
 * prints how long each took from fork to exit, in milliseconds. cni in-turn|at-once COMMAND NETNS_DIR CONFIG_FILE PLUGIN [ARG]...
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PODS = 4096 };

struct call {
  char pod[64];
  pid_t process;
  double began;
};

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void begin(struct call *call, char **argv) {
  char command[64], container[96], netns[256], args[128];
  snprintf(command, sizeof command, "CNI_COMMAND=%s", argv[2]);
  snprintf(container, sizeof container, "CNI_CONTAINERID=%s", call->pod);
  snprintf(netns, sizeof netns, "CNI_NETNS=%s/%s", argv[3], call->pod);
  snprintf(args, sizeof args, "CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=%s", call->pod);
  char path[] = "PATH=/usr/bin:/bin", interface[] = "CNI_IFNAME=eth0", cni_path[] = "CNI_PATH=/";
  char *environment[] = {path, command, container, netns, interface, args, cni_path, NULL};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, argv[4], O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  call->began = now_ms();
  if (posix_spawn(&call->process, argv[5], &files, NULL, argv + 5, environment) != 0) exit(2);
  posix_spawn_file_actions_destroy(&files);
}

/* Waits for any of them, and prints it. */
static void end_one(struct call *calls, int count) {
  int status = 0;
  const pid_t ended = wait(&status);
  const double now = now_ms();
  for (int at = 0; at < count; at++)
    if (calls[at].process == ended) {
      printf("%.3f\n", now - calls[at].began);
      if (status != 0) exit(1);
      return;
    }
  exit(2);
}

int main(int argc, char **argv) {
  static struct call calls[MOST_PODS];
  int count = 0;
  if (argc < 6) return 2;
  while (count < MOST_PODS && scanf("%63s", calls[count].pod) == 1) count++;
  const int at_once = strcmp(argv[1], "at-once") == 0;
  for (int at = 0; at < count; at++) {
    begin(&calls[at], argv);
    if (!at_once) end_one(calls, count);
  }
  for (int at = 0; at_once && at < count; at++) end_one(calls, count);
  return 0;
}
