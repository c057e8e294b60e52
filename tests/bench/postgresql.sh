# PostgreSQL: a publisher and a subscriber with equal durability. Sourced after nodes.sh.
set -euo pipefail

postgresql=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)

# PostgreSQL refuses to run as root.
as_postgres() {
  if ((EUID == 0)); then runuser -u postgres -- "$@"; else "$@"; fi
}

# sql CLUSTER: runs what it reads.
sql() { as_postgres "$postgresql/psql" -qAtX -v ON_ERROR_STOP=1 -h "$state/postgresql" -p "${port[$1]}" -U bench postgres; }

declare -A port=([publisher]=1 [subscriber]=2)
declare -A postmaster=()
start_postgresql() {
  local cluster data
  mkdir "$state/postgresql"
  chmod 711 "$state"
  if ((EUID == 0)); then chown postgres "$state/postgresql"; fi
  for cluster in publisher subscriber; do
    data=$state/postgresql/$cluster
    as_postgres "$postgresql/initdb" -D "$data" -U bench --auth=trust >/dev/null
    as_postgres tee -a "$data/postgresql.conf" <tests/bench/postgresql/common.conf >/dev/null
    as_postgres "$postgresql/pg_ctl" -D "$data" -w -l "$data.log" \
      -o "-k '$state/postgresql' -p ${port[$cluster]}" start >/dev/null
    postmaster[$cluster]=$(as_postgres head -n 1 "$data/postmaster.pid")
    sql "$cluster" <tests/bench/postgresql/schema.sql
  done
  on_end stop_postgresql
}
stop_postgresql() {
  local cluster
  for cluster in publisher subscriber; do
    as_postgres "$postgresql/pg_ctl" -D "$state/postgresql/$cluster" -m immediate stop >/dev/null 2>&1 || true
  done
}

# CPU seconds of both clusters: of the processes that are there, and of those that have ended.
postgresql_cpu_seconds() {
  local cluster process
  for cluster in publisher subscriber; do
    for process in "${postmaster[$cluster]}" $(pgrep -P "${postmaster[$cluster]}"); do
      cat "/proc/$process/stat" 2>/dev/null || true
    done
  done | sed 's/^.*) //' | awk -v hertz="$(getconf CLK_TCK)" '{ ticks += $12 + $13 + $14 + $15 } END { printf "%.2f", ticks / hertz }'
}

# Creates the subscription and waits until its table is copied.
subscribe() {
  sql subscriber <<SQL
CREATE SUBSCRIPTION everything
  CONNECTION 'host=$state/postgresql port=${port[publisher]} user=bench dbname=postgres'
  PUBLICATION everything WITH (binary = true, synchronous_commit = on);
SQL
  # "s": copied and caught up; "r": the same, taken over by the apply worker.
  sql subscriber <<'SQL'
DO $$ BEGIN
  WHILE EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate NOT IN ('s', 'r')) LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
SQL
}
