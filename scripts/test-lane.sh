#!/bin/sh
# test-lane.sh RESULTS FILE...: runs test files one after another, each in namespaces of its own; "vm" stands for all that run in the virtual machine.
. "$(dirname "$0")/setup.sh"
results=$1
shift

# The slowest file takes some minutes: one that takes so many seconds never ends, and must not hold up the others.
longest=1800

# What a reporter did not live to count is one failure more. A file's words come out whole, whatever other lanes say meanwhile.
in_fresh_namespaces() {
  name=$results/$(echo "$1" | tr / -)
  say "== $1"
  timeout --kill-after=10 $longest sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning \
    --test-reporter=spec --test-reporter-destination=stdout --test-reporter=tap --test-reporter-destination="$name.tap" "$1" \
    >"$name.log" 2>&1 || ended_badly $? "$1"
  flock "$results/lock" cat "$name.log"
}

ended_badly() {
  [ "$1" -ne 124 ] || say "$2 did not end within $longest s" >>"$name.log" 2>&1
  echo "# exit $1" >>"$name.tap"
}

for file; do
  if [ "$file" = vm ]; then
    # The machine itself is tested where it is used. Then one boot for all files.
    in_fresh_namespaces test/vm/run.test.ts
    (VM_OPTIONS="--share $results" in_vm sh test/vm/tests.sh "$results") >"$results/vm.log" 2>&1 || echo "# exit $?" >>"$results/vm.tap"
    flock "$results/lock" cat "$results/vm.log"
  else in_fresh_namespaces "$file"
  fi
done
