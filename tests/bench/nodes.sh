# Nodes: what benchmarks do with real daemons. Sourced, with the folder of the programs in `bin`; everything is ended and removed when
# the script ends.
set -euo pipefail

state=$(mktemp -d /tmp/sluice-bench.XXXXXX)
declare -A pids=()
at_end=()
# on_end FUNCTION: calls it before everything is removed.
on_end() { at_end+=("$1"); }
end_all() {
  local call
  for call in "${at_end[@]}"; do "$call"; done
  ((${#pids[@]} == 0)) || kill -TERM "${!pids[@]}" 2>/dev/null || true
  wait
  rm -rf "$state"
}
trap end_all EXIT

# start NAME PROGRAM: makes the state of $state/NAME.yaml and starts its daemon, as `resume` does.
start() {
  "$bin/$2" init --config "$state/$1.yaml" >/dev/null 2>>"$state/$1.log"
  resume "$1" "$2"
}

# resume NAME PROGRAM: starts a daemon on the state that it has, and waits until it serves; sets `pid`, `address`, and `metrics` where
# it has such a listener.
resume() {
  local line reader
  rm -f "$state/$1.addresses"
  "$bin/$2" --config "$state/$1.yaml" 2>>"$state/$1.log" &
  pid=$!
  pids[$pid]=$1
  exec {lines}< <(exec tail -s 0.1 -n +1 -F --retry "$state/$1.addresses" 2>/dev/null)
  reader=$!
  read -r -t 30 -u "$lines" line || { tail -n 3 "$state/$1.log" >&2; exit 1; }
  if [[ $line == metrics* ]]; then
    metrics=${line#* }
    read -r -t 30 -u "$lines" line
  fi
  kill "$reader"
  address=${line#* }
}

# stop PID: ends a daemon that `start` started.
stop() {
  kill -TERM "$1"
  wait "$1" || true
  unset "pids[$1]"
}

# node NAME [ADDRESS]: what follows in a daemon's configuration is its role. Without an address the kernel chooses a port.
node() {
  cat <<YAML
node:
  name: $1
  state_dir: $state/$1
  listeners:
    - address: ${2:-127.0.0.1:0}
      roles: [viewer, approver, administrator, publisher, node]
  addresses_file: $state/$1.addresses
YAML
}

# last_session ADDRESS FILTER: a value of the newest session.
last_session() { "$bin/sluice" --address "$1" sync list --limit 1 -o json | jq -r ".sessions[0] | $2"; }

# Seconds between start and end, with milliseconds.
seconds_of_last_session() {
  local begun ended
  begun=$(date -d "$(last_session "$1" .startedAt)" +%s.%N)
  ended=$(date -d "$(last_session "$1" .endedAt)" +%s.%N)
  awk -v begun="$begun" -v ended="$ended" 'BEGIN { printf "%.3f", ended - begun }'
}

peak_megabytes() { awk '/^VmHWM:/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }

# CPU seconds that a process has used.
cpu_seconds() {
  local stat
  stat=$(<"/proc/$1/stat")
  awk -v hertz="$(getconf CLK_TCK)" '{ printf "%.2f", ($12 + $13) / hertz }' <<<"${stat##*) }"
}
