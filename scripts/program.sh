# shellcheck shell=sh
# Sourced by launchers that have set root, name, source and rooms: sets program to what they are to run. That is what `npm run build` made of
# the name, unless a source of the rooms is newer by now. The shell looks by itself: a process for it takes longer, and short commands are felt.
built=$root/dist/$name.cjs

is_newest() {
  [ -f "$built" ] || return 1
  [ ! "$root/package-lock.json" -nt "$built" ] || return 1
  for room in $rooms; do
    for file in "$root/$room"/*.ts "$root/$room"/*/*.ts "$root/$room"/*/*/*.ts; do
      [ ! "$file" -nt "$built" ] || return 1
    done
  done
}

if is_newest; then program=$built; else program=$root/$source; fi
