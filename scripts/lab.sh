#!/bin/sh
# npm run lab: the demo's cluster to play with.
. "$(dirname "$0")/setup.sh"
need_node_packages
need_packages lab
need_namespaces
# A lab of one command needs a kernel that can do all; a lab that stays is made here, with what there is.
if [ "${1:-}" = run ] && [ "${2:-}" != --help ]; then run_with_ipip lab "$@"; exit; fi
exec node --disable-warning=ExperimentalWarning test/lab/main.ts "$@"
