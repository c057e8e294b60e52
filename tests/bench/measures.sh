# Measures: what benchmarks against a peer have in common. Sourced after nodes.sh; asks for `bin`.
set -euo pipefail

seed=1
declare -A rows=([10k]=10000 [100k]=100000 [1m]=1000000)

# report NAME OURS PEER: prints the line and says whether the ratio reaches what the file says; without a peer ("-") the value itself.
report() {
  local wanted
  wanted=$(awk -v name="$1" '$1 == name { print $2, $3 }' tests/bench/reaches)
  awk -v name="$1" -v ours="$2" -v peer="$3" -v wanted="${wanted:-- -}" 'BEGIN {
    split(wanted, reach, " ")
    ratio = peer == "-" || peer + 0 == 0 ? "-" : sprintf("%.2f", ours / peer)
    value = ratio == "-" ? ours : ratio
    ok = reach[1] == "at_least" ? value + 0 >= reach[2] + 0 : reach[1] == "at_most" ? value + 0 <= reach[2] + 0 : 1
    printf "%s ours=%s peer=%s ratio=%s reach=%s %s\n", name, ours, peer, ratio, reach[2], ok ? "ok" : "short" }'
}

median() { sort -n | awk '{ value[NR] = $1 } END { printf "%s", value[int((NR + 1) / 2)] }'; }
add() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a + b }'; }
subtract() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a - b }'; }
column() { awk -v n="$2" '{ print $n }' "$state/$1" | median; }

# take_sizes [SIZE...]: sets `sizes`; all of them where none is named.
take_sizes() {
  local size
  sizes=("$@")
  ((${#sizes[@]})) || sizes=(10k 100k 1m)
  for size in "${sizes[@]}"; do
    [[ ${rows[$size]:-} ]] || { echo "no size \"$size\"; there are 10k, 100k, 1m" >&2; exit 2; }
  done
}

# start_root SIZE: a root with that many records; sets `root` and `root_pid`.
start_root() {
  {
    node "root_$1"
    printf 'sources:\n  - name: made-up\n    import_at_start: false\n    synthetic: {shape: packages, seed: %s, revisions: %s}\n' \
      "$seed" "${rows[$1]}"
  } >"$state/root_$1.yaml"
  start "root_$1" sluice-upstreamd
  root=$address root_pid=$pid
  "$bin/sluice" --address "$root" --timeout 3600s sync start made-up --wait >&2
  printf 'import of %s: %s s, %s CPU seconds, peak %s MB\n' "$1" "$(seconds_of_last_session "$root")" \
    "$(cpu_seconds "$root_pid")" "$(peak_megabytes "$root_pid")"
}

# synthetic NAME SEED REVISIONS: one of a root's sources.
synthetic() {
  printf '  - name: %s\n    import_at_start: false\n    synthetic: {shape: packages, seed: %s, revisions: %s}\n' "$1" "$2" "$3"
}

import() { "$bin/sluice" --address "$root" --timeout 3600s sync start "$1" --wait >&2; }

# synchronise NAME ADDRESS: until the node's first or next session has ended, with success.
synchronise() {
  timeout 3600 "$bin/sluice" --address "$2" --timeout 3600s sync watch --once >/dev/null 2>&1 || true
  [[ $(last_session "$2" .outcome) == SYNC_OUTCOME_SUCCEEDED ]] || {
    echo "$1 did not synchronise" >&2
    "$bin/sluice" --address "$2" sync list >&2
    exit 1
  }
}

# Bytes that a client of ADDRESS has received, and sent, over connections that are open.
received_from() { connection_bytes "$1" bytes_received; }
sent_to() { connection_bytes "$1" bytes_sent; }
connection_bytes() {
  ss -tniH state established "dport = :${1##*:}" | grep -o "$2:[0-9]*" | awk -F: '{ sum += $2 } END { printf "%d", sum }'
}
