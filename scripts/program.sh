#!/bin/sh
# Prints what a launcher is to run: program.sh NAME SOURCE. What `npm run build` made, unless a source is newer by now.
root=$(dirname "$0")/..
built=$root/dist/$1.cjs
newer() {
  for room in base model netlink datastore ipip vxlan bgp agent cni calictl; do
    [ ! -d "$root/$room" ] || find "$root/$room" -name '*.ts' -newer "$built" -print -quit
  done
  find "$root/package-lock.json" -newer "$built" 2>/dev/null
}
if [ -f "$built" ] && [ -z "$(newer)" ]; then echo "$built"; else echo "$root/$2"; fi
