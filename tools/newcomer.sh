#!/usr/bin/env bash
# The README's two commands as a newcomer runs them: a fresh Debian with Python, git and make, and nothing else, below a
# folder of its own. Says how each ended and after how long. Needs root, debootstrap and overlayfs.
#
#   tools/newcomer.sh KIND FOLDER
#
#   bare      nothing more: no browser, no spreadsheet program
#   space     the clone's path has spaces and letters beyond ASCII
#   readonly  a home that nobody may write to
#   offline   no network once `make book` has installed what is needed
#   busy      two endless loops beside it
set -euo pipefail

kind=${1:-} folder=${2:-}
case $kind in bare | space | readonly | offline | busy) ;; *) folder= ;; esac
[ -n "$folder" ] || { echo "tools/newcomer.sh KIND FOLDER, where KIND is bare, space, readonly, offline or busy" >&2; exit 2; }
folder=$(realpath -m "$folder")
here=$(cd "$(dirname "$0")/.." && pwd)
base=$folder/debian own=$folder/$kind root=$folder/$kind/root place=/srv/cells-to-convnets
[ "$kind" = space ] && place="/srv/für neue Leser/cells to convnets"

[ -d "$base" ] || debootstrap --variant=minbase --include=ca-certificates,git,make,python3,python3-venv bookworm "$base"
if [ -d "$own" ]; then # of a run before, which may have been cut off while the machine's devices were mounted there
  umount -R -l "$root" 2>/dev/null || true
  rm -rf --one-file-system "$own"
fi
mkdir -p "$own/changes" "$own/work" "$root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$own/changes,workdir=$own/work" "$root"
loops=()
finish() {
  [ ${#loops[@]} -eq 0 ] || kill "${loops[@]}"
  umount -R -l "$root"
}
trap finish EXIT
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev" # or taking it away here would take away the machine's own
# How packages are fetched on this machine, where that is written down: names, certificates, pip's settings.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt ~/.config/pip/pip.conf; do
  if [ -f "$file" ]; then mkdir -p "$root$(dirname "$file")" && cp -L "$file" "$root$file"; fi
done
for wheels in ${NEWCOMER_WHEELS:-${PIP_FIND_LINKS:-}}; do
  if [ -d "$wheels" ]; then mkdir -p "$root$wheels" && mount --bind -o ro "$wheels" "$root$wheels"; fi
done
mkdir -p "$root$(dirname "$place")"
git clone -q "$here" "$root$place"
if [ "$kind" = readonly ]; then mount --bind -o ro "$root/root" "$root/root"; fi

all=0
run() { # a command in there; how it ended, after how long
  local start=$SECONDS ended=0 enter=() log=$own/$1-$2.log
  if [ "$kind" = offline ] && [ "$*" = "make test" ]; then enter=(unshare -n sh -c 'ip link set lo up; exec "$@"' sh); fi
  "${enter[@]}" chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    sh -c 'cd "$0" && exec "$@"' "$place" "$@" >"$log" 2>&1 || ended=$?
  echo "$kind: $*: exit $ended after $((SECONDS - start)) s"
  [ $ended -eq 0 ] || all=1
}

if [ "$kind" = busy ]; then for _ in 1 2; do (while :; do :; done) & loops+=($!); done; fi
run make book
run make test
tail -n 3 "$own/make-test.log"
exit $all
