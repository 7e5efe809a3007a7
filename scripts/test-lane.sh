#!/bin/sh
# test-lane.sh RESULTS QUEUE: takes test files from the queue, one after another, and runs each in namespaces of its own.
# Several may take from one queue. "vm" stands for all that run in the virtual machine.
. "$(dirname "$0")/setup.sh"
results=$1
queue=$2

# Many times what the slowest file takes: one that hangs costs its lane so many seconds, not the whole run.
LONGEST=900

# What a reporter did not live to count is one failure more. A file's words come out whole, whatever other lanes say meanwhile.
in_fresh_namespaces() {
  name=$results/$(echo "$1" | tr / -)
  say "== $1"
  ended=0
  timeout --kill-after=10 "$LONGEST" sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$name.tap" "$1" >"$name.log" 2>&1 || ended=$?
  [ "$ended" = 124 ] || [ "$ended" = 137 ] && printf 'not ok - %s did not end within %s s: its last test is the one that hangs\n' "$1" "$LONGEST" >>"$name.tap"
  [ "$ended" = 0 ] || echo "# exit $ended" >>"$name.tap"
  flock "$results/lock" cat "$name.log"
}

# Takes a file off the queue; says nothing where none is left.
next() {
  flock "$queue.lock" sh -c 'head -n 1 "$1"; sed -i 1d "$1"' sh "$queue"
}

while file=$(next) && [ -n "$file" ]; do
  if [ "$file" = vm ]; then
    # The machine itself is tested where it is used. Then one boot for all files.
    in_fresh_namespaces test/vm/run.test.ts
    (VM_OPTIONS="--share $results" in_vm sh test/vm/tests.sh "$results") >"$results/vm.log" 2>&1 || echo "# exit $?" >>"$results/vm.tap"
    flock "$results/lock" cat "$results/vm.log"
  else in_fresh_namespaces "$file"
  fi
done
