#!/bin/sh
# npm test: all that "npm run check" does, then every test that needs namespaces, then those that need ipip.
. "$(dirname "$0")/setup.sh"
need_node_packages
need_packages test
need_namespaces
ipip=there
has_ipip || { ipip=absent; need_packages vm; }

results=$(mktemp -d "${TMPDIR:-/tmp}/cali-test.XXXXXX")
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Each file gets namespaces of its own. What a reporter did not live to count is one failure more.
in_fresh_namespaces() {
  tap=$results/$(echo "$1" | tr / -).tap
  say "== $1"
  sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$tap" "$1" || echo "# exit $?" >>"$tap"
}

files_of() { find test/lab test/interop test/e2e -name "$1" | sort; }

CALI_TAP=$results/check.tap sh scripts/check.sh || echo "# exit $?" >>"$results/check.tap"

for file in $(files_of '*.test.ts' | grep -v '\.ipip\.test\.ts$'); do in_fresh_namespaces "$file"; done

if [ "$ipip" = there ]; then
  for file in $(files_of '*.ipip.test.ts'); do in_fresh_namespaces "$file"; done
else
  say "This kernel has no ipip: the tests that need it run in a virtual machine with the distribution's stock kernel."
  # The machine itself is tested where it is used. Then one boot for all files.
  in_fresh_namespaces test/vm/run.test.ts
  VM_OPTIONS="--share $results" in_vm sh test/vm/tests.sh "$results" || echo "# exit $?" >>"$results/vm.tap"
fi

count() { cat "$results"/*.tap | awk -v what="$1" '$1 == "#" && $2 == what { sum += $3 } END { print sum + 0 }'; }
# A file that failed without a failed test: it died before it could say.
died=$(grep -l '^# exit' "$results"/*.tap | while read -r tap; do grep -q '^# fail [1-9]' "$tap" || echo "$tap"; done | wc -l)
# A skipped test proves nothing: it counts as failed, and is told by name.
failed=$(($(count fail) + $(count cancelled) + $(count skipped) + died))
grep -h '# SKIP' "$results"/*.tap | sed 's/^ *ok [0-9]* - /skipped: /' >&2 || :
echo "$(count pass) passed, $failed failed"
[ "$failed" -eq 0 ]
