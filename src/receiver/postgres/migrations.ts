/** Hash partitions of the lines; each has its own index, which vacuum can work on by itself. */
const PARTITIONS = 16;

const partitions = Array.from(
  { length: PARTITIONS },
  (_, n) => `CREATE TABLE influxion.line_${n} PARTITION OF influxion.line
     FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${n});`,
).join("\n");

/**
 * Each brings a schema from the version that is its place in the list to the next. One that was
 * released never changes.
 *
 * Ids in text columns are escaped (`storedId`). `payload` is text: jsonb would reorder the
 * members of an object, and refuses \\u0000.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE influxion.head (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     -- SHA-256 of the four ids
     digest bytea NOT NULL UNIQUE,
     project text NOT NULL, deployment text NOT NULL, agent text NOT NULL, session text NOT NULL,
     -- the newest generation, and the lines that are held of it
     generation bigint NOT NULL, next_line bigint NOT NULL
   );
   CREATE INDEX head_by_session ON influxion.head USING hash (session);

   CREATE TABLE influxion.part (
     key text PRIMARY KEY,
     session_id bigint NOT NULL REFERENCES influxion.head (id),
     generation bigint NOT NULL, first_line bigint NOT NULL, lines bigint NOT NULL,
     accepted bigint NOT NULL, rejected bigint NOT NULL,
     body_sha256 bytea NOT NULL,
     -- JSON, as it was answered
     receipt text NOT NULL,
     wire_bytes bigint NOT NULL, decoded_bytes bigint NOT NULL,
     received_at timestamptz NOT NULL DEFAULT now(),
     repeats bigint NOT NULL DEFAULT 0,
     -- when its lines were removed because of their age
     pruned_at timestamptz,
     UNIQUE (session_id, generation, first_line)
   );
   CREATE INDEX part_by_time ON influxion.part (received_at) WHERE pruned_at IS NULL;

   CREATE TABLE influxion.line (
     session_id bigint NOT NULL, generation bigint NOT NULL, line_index bigint NOT NULL,
     payload text NOT NULL,
     PRIMARY KEY (session_id, generation, line_index)
   ) PARTITION BY HASH (session_id);
   ${partitions}

   -- What was deleted and is not taken again; without agent or session, all of them.
   CREATE TABLE influxion.tombstone (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     project text NOT NULL, deployment text NOT NULL, agent text, session text,
     deleted_at timestamptz NOT NULL DEFAULT now()
   );
   CREATE INDEX tombstone_by_deployment ON influxion.tombstone USING hash (deployment);

   CREATE TABLE influxion.api_key (
     id text PRIMARY KEY,
     name text NOT NULL,
     -- SHA-256 of the key
     hash bytea NOT NULL,
     -- NULL: all
     projects text[],
     created_at timestamptz NOT NULL DEFAULT now(),
     revoked_at timestamptz
   );

   CREATE VIEW influxion.sessions AS
     SELECT h.project, h.deployment, h.agent, h.session, h.generation, h.next_line AS lines,
       p.parts, p.first_received_at, p.last_received_at
     FROM influxion.head h CROSS JOIN LATERAL (
       SELECT count(*) AS parts, min(received_at) AS first_received_at,
         max(received_at) AS last_received_at
       FROM influxion.part WHERE session_id = h.id AND generation = h.generation
     ) p;
   CREATE VIEW influxion.entries AS
     SELECT h.project, h.deployment, h.agent, h.session, l.generation, l.line_index, l.payload
     FROM influxion.head h
     JOIN influxion.line l ON l.session_id = h.id AND l.generation = h.generation;`,
  `-- The highest generation that is meant; before, all of them were for ever.
   ALTER TABLE influxion.tombstone ADD COLUMN through bigint NOT NULL DEFAULT 9007199254740991;
   ALTER TABLE influxion.tombstone ALTER COLUMN through DROP DEFAULT;
   DROP INDEX influxion.tombstone_by_deployment;
   CREATE INDEX tombstone_by_scope ON influxion.tombstone USING hash (
     (deployment || '/' || coalesce(agent, '') || '/' || coalesce(session, ''))
   );
   -- Of a generation's first part, if that came without a number: what was deleted before, or -1
   ALTER TABLE influxion.part ADD COLUMN unnamed_after bigint;`,
];
