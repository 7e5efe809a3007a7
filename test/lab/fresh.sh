#!/bin/sh
# Runs a command in user, network, mount and process namespaces of its own, which end with it: fresh.sh COMMAND [ARG]...
# Root does without the first where it is refused, or where it would lose the right to read these very files (they are
# another user's, who keeps them to himself), and in the virtual machine, whose root is nobody outside.
set -eu
PATH=$PATH:/usr/sbin:/sbin
user='--user --map-root-user'
# shellcheck disable=SC2086
if [ -n "${CALI_IN_GUEST:-}" ] || ! unshare $user --net test -r "$0" 2>/dev/null; then
  [ "$(id -u)" = 0 ] || { echo 'fresh.sh: this system does not let ordinary users make namespaces; run it with sudo' >&2; exit 2; }
  user=
fi
# The shell stays as process 1: it collects orphans, which Node would not. /run is a file system of the lab's own:
# network namespaces get their names there, agents their sockets. The empty file tells the lab where it is.
# shellcheck disable=SC2016,SC2086
exec unshare $user --net --mount --pid --fork --kill-child --mount-proc sh -c '
  mount -t tmpfs -o mode=755 cali-lab /run && mkdir /run/netns /run/lock && : >/run/cali-lab && ip link set lo up || exit 2
  "$@"
  exit $?' sh "$@"
