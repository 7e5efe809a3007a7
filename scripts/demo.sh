#!/bin/sh
# npm run demo: shows the whole line at work, on a cluster made of network namespaces.
. "$(dirname "$0")/setup.sh"
need_node_packages
need_packages lab
run_with_ipip demo "$@"
