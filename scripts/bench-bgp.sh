#!/bin/sh
# npm run bench:bgp: cali-bgpd beside other BGP speakers, in tables, meshes, flaps and storms of routes.
. "$(dirname "$0")/setup.sh"
need_node_packages
need_packages test
need_namespaces
exec sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning test/bench/bgp/main.ts "$@"
