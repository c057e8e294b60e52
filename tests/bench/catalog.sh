# Catalog: a root with many updates, for benchmarks of what its operators do. Sourced after nodes.sh.
set -euo pipefail

declare -A rows=([10k]=10000 [100k]=100000 [1m]=1000000)

# start_catalog SIZE: a root with that many updates; sets `root`.
start_catalog() {
  [[ ${rows[$1]:-} ]] || { echo "no size \"$1\"; there are 10k, 100k, 1m" >&2; exit 2; }
  {
    node hq
    printf 'sources:\n  - name: made-up\n    import_at_start: false\n    synthetic: {shape: packages, seed: 1, revisions: %s}\n' \
      "${rows[$1]}"
  } >"$state/hq.yaml"
  start hq sluice-upstreamd
  root=$address
  "$bin/sluice" --address "$root" --timeout 3600s sync start made-up --wait >&2
  printf 'import of %s: %s s\n' "$1" "$(seconds_of_last_session "$root")"
}

# report NAME OURS: the reach of NAME, "at_most" a value, is in the file "reaches".
report() {
  awk -v name="$1" -v ours="$2" '$1 == name { reach = $3 } END {
    verdict = (reach == "" || ours + 0 <= reach + 0) ? "ok" : "short"
    printf "%s ours=%s peer=- ratio=- reach=%s %s\n", name, ours, reach == "" ? "-" : reach, verdict }' tests/bench/reaches
}
