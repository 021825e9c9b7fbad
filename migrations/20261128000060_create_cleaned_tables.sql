-- What piles up until a cleanup takes it away. A row under legal_hold, which a court or an audit may
-- ask for, is neither backed up nor deleted, whatever its age.

-- What the applications have to say about themselves.
CREATE TABLE application_logs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level      text NOT NULL
               CONSTRAINT application_logs_level_known
               CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error')),
    -- Which part of which application.
    source     text NOT NULL,
    message    text NOT NULL,
    fields     jsonb NOT NULL DEFAULT '{}',
    legal_hold boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The cleanup walks along the age; the held rows are few and only counted.
CREATE INDEX application_logs_by_age ON application_logs (created_at, id) WHERE NOT legal_hold;
CREATE INDEX application_logs_held ON application_logs (created_at) WHERE legal_hold;

-- Who is, or was, signed in. A session is as old as the last time that it was used.
CREATE TABLE sessions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A user's id; sessions outlive users, hence no foreign key.
    user_id      text NOT NULL,
    -- SHA-256 of the token, hexadecimal: the token itself is nowhere.
    token_hash   text NOT NULL CONSTRAINT sessions_token_once UNIQUE,
    client       jsonb NOT NULL DEFAULT '{}',
    legal_hold   boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX sessions_by_age ON sessions (last_seen_at, id) WHERE NOT legal_hold;
CREATE INDEX sessions_held ON sessions (last_seen_at) WHERE legal_hold;

-- Files that somebody needed for a while: uploads, exports. The content is in object storage.
CREATE TABLE temp_files (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A file in object storage belongs to one row, and goes when that goes.
    object_reference text COLLATE "C" NOT NULL CONSTRAINT temp_files_object_once UNIQUE,
    file_name        text NOT NULL,
    owner_id         text,
    legal_hold       boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX temp_files_by_age ON temp_files (created_at, id) WHERE NOT legal_hold;
CREATE INDEX temp_files_held ON temp_files (created_at) WHERE legal_hold;

-- All of them in one shape, for finding what is old: each statement names one type, and PostgreSQL leaves
-- the other tables alone. The content is the whole row, in the text that a backup keeps and hashes.
CREATE VIEW cleanable_rows AS
SELECT 'logs' AS cleanup_type, id, created_at AS at, legal_hold, row_to_json(cleaned)::text AS content
FROM application_logs AS cleaned
UNION ALL
SELECT 'sessions', id, last_seen_at, legal_hold, row_to_json(cleaned)::text
FROM sessions AS cleaned
UNION ALL
SELECT 'temp_files', id, created_at, legal_hold, row_to_json(cleaned)::text
FROM temp_files AS cleaned;
