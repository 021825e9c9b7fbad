-- When users became what: `users` has only what they are now.
CREATE TABLE user_status_changes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    from_status text NOT NULL,
    to_status   text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX user_status_changes_of_user ON user_status_changes (user_id);
CREATE INDEX user_status_changes_changed_at ON user_status_changes (changed_at);

-- Whoever changes a status need not know of this table.
CREATE FUNCTION users_keep_status_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_status_changes (user_id, from_status, to_status)
    VALUES (NEW.id, OLD.status, NEW.status);
    RETURN NULL;
END
$$;

CREATE TRIGGER users_status_changes
    AFTER UPDATE OF status ON users
    FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION users_keep_status_changes();
