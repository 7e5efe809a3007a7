#!/bin/sh
# npm test: all that "npm run check" does, then every test that needs namespaces, in three lanes, for many of them only wait.
. "$(dirname "$0")/setup.sh"
need_node_packages
need_packages test
need_namespaces
ipip=there
has_ipip || { ipip=absent; need_packages vm; }

results=$(mktemp -d "${TMPDIR:-/tmp}/cali-test.XXXXXX")
lanes=
stop_lanes() { for lane in $lanes; do kill -- "-$lane" 2>/dev/null || :; done; }
trap 'stop_lanes; rm -rf "$results"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

files_of() { find "$@" -name '*.test.ts' ! -name '*.ipip.test.ts' | sort; }
ipip_files=$(find test -name '*.ipip.test.ts' | sort)
if [ "$ipip" = absent ]; then
  say "This kernel has no ipip: the tests that need it run in a virtual machine with the distribution's stock kernel."
  ipip_files=vm
fi

# A group of processes each, so that an end ends all of it.
start_lane() { setsid sh scripts/test-lane.sh "$results" "$1" & lanes="$lanes $!"; }
# What takes longest comes first: the lanes that share a queue end together.
longest='test/e2e/scale.test.ts test/lab/etcd-faults.test.ts'
files=$(files_of test/lab test/e2e test/interop | grep -vxF "$(printf '%s\n' $longest)")
printf '%s\n' $longest $files >"$results/native"
printf '%s\n' $ipip_files >"$results/tunnel"
# The virtual machine takes one processor nearly all the time that everything else takes together.
start_lane "$results/tunnel"
CALI_TAP=$results/check.tap sh scripts/check.sh || echo "# exit $?" >>"$results/check.tap"
start_lane "$results/native"
start_lane "$results/native"
for lane in $lanes; do wait "$lane" || echo "# exit $?" >>"$results/lane-$lane.tap"; done
lanes=

count() { cat "$results"/*.tap | awk -v what="$1" '$1 == "#" && $2 == what { sum += $3 } END { print sum + 0 }'; }
# A file that failed without a failed test: it died before it could say.
died=$(grep -l '^# exit' "$results"/*.tap | while read -r tap; do grep -q '^# fail [1-9]' "$tap" || echo "$tap"; done | wc -l)
# What no lane came to: a lane died.
left=$(cat "$results/native" "$results/tunnel" | wc -l)
# A skipped test proves nothing: it counts as failed, and is told by name.
failed=$(($(count fail) + $(count cancelled) + $(count skipped) + died + left))
grep -h '# SKIP' "$results"/*.tap | sed 's/^ *ok [0-9]* - /skipped: /' >&2 || :
grep -h '^ *not ok' "$results"/*.tap | sed 's/^ *not ok \([0-9]* \)\?- /failed: /' >&2 || :
echo "$(count pass) passed, $failed failed"
[ "$failed" -eq 0 ]
