-- The HTTP API: who may call it, what they asked for, and whose it is.

-- Keys of programs. Of a key's secret there is only the SHA-256.
CREATE TABLE api_keys (
    -- The part of the key that is no secret.
    id           text PRIMARY KEY,
    -- Whose it is, or what it is for.
    name         text NOT NULL CONSTRAINT api_keys_named CHECK (name <> ''),
    secret_hash  bytea NOT NULL CONSTRAINT api_keys_hash_whole CHECK (octet_length(secret_hash) = 32),
    scopes       text[] NOT NULL
                 CONSTRAINT api_keys_scopes_known
                 CHECK (scopes <@ ARRAY['read', 'write', 'review', 'admin'] AND cardinality(scopes) > 0),
    -- The user whose things are all that it sees, reviews apart; everyone's without one.
    user_id      text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    -- Give or take a minute.
    last_used_at timestamptz,
    CONSTRAINT api_keys_admin_is_unbound CHECK (user_id IS NULL OR NOT 'admin' = ANY (scopes))
);

-- Idempotency-Key: the first request under a key says what all others under it are.
CREATE TABLE api_requests (
    -- Whoever asked: a key of one caller is nothing to another.
    caller       text NOT NULL,
    key          text NOT NULL,
    -- SHA-256 of what was asked.
    request_hash bytea NOT NULL,
    workflow_id  text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- When the workflow was started: from then on a repeat starts nothing, however that ended.
    started_at   timestamptz,
    PRIMARY KEY (caller, key)
);

CREATE INDEX api_requests_by_age ON api_requests (created_at);

-- Which workflows were started for whom: what a caller who is bound to a user finds in their list. Whether a
-- run is theirs, its own memo says.
CREATE TABLE api_workflows (
    workflow_id text NOT NULL,
    user_id     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workflow_id, user_id)
);

CREATE INDEX api_workflows_of_user ON api_workflows (user_id, created_at, workflow_id);
