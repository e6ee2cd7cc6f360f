#!/usr/bin/env bash
# Installs the Debian packages whose programs the tests run. Does nothing where they are all there; starts no service.
set -euo pipefail

# program=package
needed=(haproxy=haproxy dig=dnsutils curl=curl mariadbd=mariadb-server prometheus=prometheus dnsmasq=dnsmasq-base
  sysbench=sysbench redis-server=redis-server redis-sentinel=redis-sentinel
  keepalived=keepalived dockerd=docker.io ip=iproute2)

missing=()
for pair in "${needed[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
# module of Debian's Python=package
for pair in consul=python3-consul patroni=patroni pymysql=python3-pymysql; do
  /usr/bin/python3 -c "import ${pair%%=*}" 2>/dev/null || missing+=("${pair#*=}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing Debian packages: ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The tests need them; install them as root: apt-get install ${missing[*]}" >&2
  exit 1
fi

# Debian starts what it installs unless this file says otherwise (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi

log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -q && apt-get install -qy --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
