#!/bin/sh
# npm run bench: what Cali takes, in numbers: routes a second, traffic from pod to pod, CNI ADD, start and memory among a thousand nodes, the BGP codec, etcd.
. "$(dirname "$0")/setup.sh"
need_node_packages
need_packages test
need_namespaces
# The agent is measured as it is to be run.
node --disable-warning=ExperimentalWarning test/vm/bundle.ts --dist >&2
exec sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning test/bench/main.ts "$@"
