#!/bin/sh
# Inside the virtual machine: runs every bundled test file in namespaces of its own; tests.sh RESULTS-DIR.
failed=0
for file in build/tests/*.cjs; do
  echo "== $file" >&2
  tap=$1/vm-$(basename "$file").tap
  sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$tap" "$file" || { echo "# exit $?" >>"$tap"; failed=1; }
done
exit "$failed"
