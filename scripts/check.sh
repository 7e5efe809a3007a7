#!/bin/sh
# npm run check: formatter, linter, types and unit tests; no namespaces, no root, under a minute.
. "$(dirname "$0")/setup.sh"
need_node_packages
say 'Biome …'
biome ci --error-on-warnings >&2
say 'Types …'
tsc -p . >&2
say 'Unit tests …'
# What spans processes or namespaces lives below these folders of test/ and runs in "npm test".
files=$(find base model netlink bgp ipip datastore cni calictl agent test -name '*.test.ts' \
  ! -path 'test/lab/*' ! -path 'test/vm/*' ! -path 'test/interop/*' ! -path 'test/e2e/*' | sort)
# shellcheck disable=SC2086
exec node --disable-warning=ExperimentalWarning --test --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=tap --test-reporter-destination="${CALI_TAP:-/dev/null}" $files
