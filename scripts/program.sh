#!/bin/sh
# Prints what a launcher is to run: program.sh NAME SOURCE. What `npm run build` made, unless a source is newer by now.
root=$(dirname "$0")/..
built=$root/dist/$1.cjs
# One process for all rooms: short commands are felt.
newer() {
  cd "$root" && find base model netlink datastore ipip vxlan bgp agent cni calictl package-lock.json \
    -name node_modules -prune -o \( -name '*.ts' -o -name package-lock.json \) -newer "dist/$1.cjs" -print -quit 2>/dev/null
}
if [ -f "$built" ] && [ -z "$(newer "$1")" ]; then echo "$built"; else echo "$root/$2"; fi
