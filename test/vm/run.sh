#!/bin/sh
# Runs a command under the distribution's stock kernel, in a virtual machine that has this machine's files:
#   run.sh [--timeout SECONDS] [--memory MB] [--cpus N] [--share DIR]... [--] COMMAND [ARG]...
#
# QEMU emulates the processor: no KVM, no disk image, no network and no root are needed. The command runs as the guest's
# root in the same directory and with the same environment. It sees every file that the caller may read; what it writes
# stays in the guest's memory, except below the --share directories. Output and errors are streamed; standard input is
# empty. Exit status: the command's, 124 when it was late, 125 when there was no guest to run it.
set -eu
PATH=$PATH:/usr/sbin:/sbin

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0" >&2; exit 125; }
fail() { echo "test/vm/run.sh: $*" >&2; exit 125; }

timeout=600 memory=2048 cpus=2 shares=
while [ $# -gt 0 ]; do
  case $1 in
    --timeout) timeout=$2; shift 2 ;;
    --memory) memory=$2; shift 2 ;;
    --cpus) cpus=$2; shift 2 ;;
    --share) mkdir -p "$2"; shares="$shares$(cd "$2" && pwd -P)
"; shift 2 ;;
    --) shift; break ;;
    -*) usage ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || usage

case $(uname -m) in
  x86_64) qemu=qemu-system-x86_64 machine='q35,usb=off,vmport=off' console=ttyS0 ;;
  aarch64) qemu=qemu-system-aarch64 machine='virt,gic-version=max' console=ttyAMA0 ;;
  *) fail "it knows x86_64 and aarch64 only, this is $(uname -m)" ;;
esac
for tool in "$qemu" busybox cpio modprobe; do
  command -v "$tool" >/dev/null || fail "$tool is missing; scripts/setup.sh names the packages"
done

# The newest kernel that has its modules, with 9p among them, which is how the guest gets the files.
kernel=
for file in $(printf '%s\n' /boot/vmlinuz-* | sort -V); do
  modprobe -S "${file#/boot/vmlinuz-}" --show-depends 9p >/dev/null 2>&1 && kernel=$file
done
[ -n "$kernel" ] || fail 'no kernel in /boot has the module 9p; on Debian: apt-get install linux-image-amd64'
[ -r "$kernel" ] || fail "$kernel may be read by root only; run this with sudo, or: sudo chmod +r $kernel"
release=${kernel#/boot/vmlinuz-}

work=$(mktemp -d "${TMPDIR:-/tmp}/cali-vm.XXXXXX")
guest=
clean() { [ -z "$guest" ] || kill "$guest" 2>/dev/null || :; rm -rf "$work"; }
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- the kernel, unpacked once: a guest that enters it directly is three seconds faster than one that unpacks it -------

cache=${XDG_CACHE_HOME:-$HOME/.cache}/cali/vm/$release-$(stat -c %Y "$kernel")-1
field() { od -An -v -t"u$2" -j"$1" -N"$2" "$kernel" | tr -d ' '; }
# Linux/x86 boot protocol: setup_sects, payload_offset and payload_length say where the packed kernel lies in the file.
payload() { tail -c +$((($(field 497 1) + 1) * 512 + $(field 584 4) + 1)) "$kernel" | head -c "$(field 588 4)"; }
unpack_kernel() {
  for unpacker in xz zstd lz4 gzip; do
    command -v "$unpacker" >/dev/null || continue
    # What follows the payload may be taken for trailing garbage; what counts is that an ELF file came out.
    payload | "$unpacker" -dc >"$work/kernel" 2>/dev/null || :
    [ "$(head -c 4 "$work/kernel" | tail -c 3)" = ELF ] && return
  done
  cp "$kernel" "$work/kernel"
}
# A guest's busybox cannot unpack every kind of module.
copy_module() {
  name=$(basename "$1"); target=$work/modules/$2-${name%.ko*}.ko
  case $name in
    *.xz) xz -dc "$1" ;; *.zst) zstd -dc "$1" ;; *.gz) gzip -dc "$1" ;; *) cat "$1" ;;
  esac >"$target"
}
fill_cache() {
  mkdir -p "$work/modules" "$(dirname "$cache")"
  if [ "$console" = ttyS0 ]; then unpack_kernel; else cp "$kernel" "$work/kernel"; fi
  number=100
  for module in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
    modprobe -S "$release" --show-depends "$module" >"$work/depends"
    while read -r verb file _; do
      [ "$verb" = insmod ] || continue
      number=$((number + 1))
      name=$(basename "$file"); set -- "$work/modules/"*"-${name%.ko*}.ko"
      [ -e "$1" ] || copy_module "$file" "$number"
    done <"$work/depends"
  done
  mkdir -p "$cache.$$" && mv "$work/kernel" "$work/modules" "$cache.$$"
  mv -T "$cache.$$" "$cache" 2>/dev/null || rm -rf "$cache.$$" # another run was first
}
[ -e "$cache/kernel" ] || (fill_cache)

# --- what to run, and the guest's first program ---------------------------------------------------------------------

quote() { printf '%s\n' "$1" | sed "s/'/'\\\\''/g;1s/^/'/;\$s/\$/'/"; }

image=$work/image
mkdir -p "$image/bin" "$image/dev" "$image/proc" "$image/sys" "$image/lower" "$image/upper" "$image/root"
cp "$(command -v busybox)" "$image/bin/busybox"
cp -r "$cache/modules" "$image/modules"
{
  export -p
  printf 'cd %s || exit 125\nexec' "$(quote "$PWD")"
  for word in "$@"; do printf ' %s' "$(quote "$word")"; done
  echo
} >"$image/command"

options=trans=virtio,version=9p2000.L,msize=512000
{
  cat <<INIT
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /modules/*; do insmod \$module; done
mount -t 9p -o $options,cache=loose,ro,noatime root /lower || poweroff -f
mount -t tmpfs -o mode=755,size=75% upper /upper; mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /root
mount -t tmpfs -o mode=755 run /root/run; mkdir /root/run/lock /root/run/guest
mount -t tmpfs -o mode=1777 shm /dev/shm 2>/dev/null || { mkdir /dev/shm; mount -t tmpfs -o mode=1777 shm /dev/shm; }
mkdir -p /dev/pts; mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
ln -s /proc/self/fd /dev/fd; ln -s fd/0 /dev/stdin; ln -s fd/1 /dev/stdout; ln -s fd/2 /dev/stderr
hostname $(quote "$(hostname)"); ifconfig lo up
for port in /sys/class/virtio-ports/*; do ln -s /dev/\${port##*/} /root/run/guest/\$(cat \$port/name); done
cp /bin/busybox /command /main /root/run/guest
INIT
  number=0
  printf '%s' "$shares" | while read -r share; do
    echo "mount -t 9p -o $options,cache=mmap share$number /root$(quote "$share")"
    number=$((number + 1))
  done
  cat <<'INIT'
mount --move /proc /root/proc; mount --move /sys /root/sys; mount --move /dev /root/dev
exec switch_root /root /run/guest/busybox sh /run/guest/main
INIT
} >"$image/init"
# The status goes out by a descriptor that is open from the start: the command may cover /run.
cat >"$image/main" <<'MAIN'
cd /run/guest
# The command runs under the real shell, for busybox would put its own commands in place of everybody else's.
exec 8>status 9<busybox
/run/guest/busybox setsid /bin/sh /run/guest/command </dev/null >out 2>err 8>&-
echo $? >&8
/proc/self/fd/9 sync
/proc/self/fd/9 poweroff -f
MAIN
chmod +x "$image/init"
(cd "$image" && find . | cpio -o -H newc --quiet) >"$work/initrd"

# --- the guest ------------------------------------------------------------------------------------------------------

set -- -fsdev local,id=root,path=/,security_model=none,multidevs=remap,readonly=on -device virtio-9p-pci,fsdev=root,mount_tag=root
number=0
while read -r share; do
  [ -n "$share" ] || continue
  set -- "$@" -fsdev "local,id=share$number,path=$share,security_model=none,multidevs=remap" \
    -device "virtio-9p-pci,fsdev=share$number,mount_tag=share$number"
  number=$((number + 1))
done <<SHARES
$shares
SHARES

# Pipes, for QEMU does not write to every kind of file that a caller's output may be.
mkfifo "$work/out" "$work/err"
cat "$work/out" & out=$!
cat "$work/err" >&2 & err=$!
# Held open here, so that the readers end when QEMU has ended and not before it has begun.
exec 3>"$work/out" 4>"$work/err"
timeout --kill-after=5 "$timeout" "$qemu" -nodefaults -no-user-config -nographic -no-reboot \
  -machine "$machine" -accel tcg,thread=multi,tb-size=512 -cpu max -smp "$cpus" -m "$memory" \
  -kernel "$cache/kernel" -initrd "$work/initrd" \
  -append "console=$console quiet panic=-1 mitigations=off nokaslr audit=0 apparmor=0 nowatchdog random.trust_cpu=on" \
  -chardev "file,id=console,path=$work/console" -serial chardev:console -device virtio-serial-pci \
  -chardev "file,id=out,path=$work/out" -device virtserialport,chardev=out,name=out \
  -chardev "file,id=err,path=$work/err" -device virtserialport,chardev=err,name=err \
  -chardev "file,id=status,path=$work/status" -device virtserialport,chardev=status,name=status \
  "$@" </dev/null 3>&- 4>&- &
guest=$!
ended=0
wait "$guest" || ended=$?
guest=
exec 3>&- 4>&-
wait "$out" "$err"
[ ! -s "$work/status" ] || exit "$(cat "$work/status")"
case $ended in 124 | 137) echo "test/vm/run.sh: stopped after $timeout s" >&2; exit 124 ;; esac
tail -n 25 "$work/console" >&2 2>/dev/null || :
fail 'the guest ended without a result; above is what its console said last'
