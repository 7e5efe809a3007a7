#!/bin/sh
# npm run check: formatter, linter, types and unit tests; no namespaces, no root.
. "$(dirname "$0")/setup.sh"
need_node_packages

wrong=
[ -t 2 ] && colours=force || colours=off
say 'Biome …'
biome ci --error-on-warnings --colors="$colours" >&2 || wrong="$wrong Biome"
say 'Types …'
tsc -p . >&2 || wrong="$wrong types"
say 'Unit tests …'
# What spans processes or namespaces lives below these folders of test/ and runs in "npm test".
files=$(find base model netlink bgp ipip vxlan datastore cni calictl agent test -name '*.test.ts' \
  ! -path 'test/lab/*' ! -path 'test/vm/*' ! -path 'test/interop/*' ! -path 'test/e2e/*' | sort)
# "npm test" counts what it reads there.
set -- --test-reporter=spec --test-reporter-destination=stdout
[ -z "${CALI_TAP:-}" ] || set -- "$@" --test-reporter=tap --test-reporter-destination="$CALI_TAP"
# shellcheck disable=SC2086
node --disable-warning=ExperimentalWarning --test --test-concurrency="$(nproc)" "$@" $files || wrong="$wrong tests"

[ -z "$wrong" ] || { say "Not right:$wrong"; exit 1; }
