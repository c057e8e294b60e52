-- A record: what identifies it and says where it belongs, and the payload's bytes.
CREATE TABLE record (
  id uuid PRIMARY KEY,
  digest bytea NOT NULL,
  shard bytea NOT NULL,
  payload bytea NOT NULL
);
