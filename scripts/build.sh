#!/bin/sh
# npm run build: one file a program, in dist/. The launchers run it as long as no source is newer.
. "$(dirname "$0")/setup.sh"
need_node_packages
exec node --disable-warning=ExperimentalWarning test/vm/bundle.ts --dist
