#!/bin/sh
# npm run build:cni: compiles the static twin of the CNI plugin for this machine's architecture: build/cni-x86_64, build/cni-aarch64.
# With arguments: OUTPUT [COMPILER FLAG]...; CC names the compiler, LINK how to link.
set -eu
cd "$(dirname "$0")/.."

output=${1:-build/cni-$(uname -m)}
[ $# -eq 0 ] || shift

# A small C library makes a small program; any other does.
compiler=${CC:-}
for each in musl-gcc cc gcc clang; do
  [ -n "$compiler" ] || ! command -v "$each" >/dev/null || compiler=$each
done
[ -n "$compiler" ] || { echo 'There is no C compiler here: the CNI plugin stays the one that Node runs.' >&2; exit 3; }

mkdir -p "$(dirname "$output")"
# The runtime may call the former one at this moment.
# shellcheck disable=SC2086
"$compiler" -std=c11 -O2 ${LINK--static -s} -D_POSIX_C_SOURCE=200809L \
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror \
  "$@" -o "$output.new" cni/static/*.c
mv -f "$output.new" "$output"
echo "$output" >&2
