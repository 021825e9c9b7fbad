-- The audit trail of a listing: who did what, when, to which version. Triggers write it, so that nobody
-- who changes a listing can forget to; nobody can change it; and each entry carries the hash of the one
-- before, so that a change from outside of PostgreSQL's rules shows.
CREATE TABLE listing_audit (
    listing_id    text NOT NULL REFERENCES listings (id),
    -- 1, 2, 3, ... without a gap.
    sequence      bigint NOT NULL,
    at            timestamptz NOT NULL,
    -- Who: what the writer set as `partner.actor` for its transaction, or else its database user.
    actor         text NOT NULL,
    action        text NOT NULL,
    version       integer NOT NULL,
    details       jsonb NOT NULL,
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL,
    PRIMARY KEY (listing_id, sequence)
);

-- The last entry of each trail: without it, entries cut off at the end would not be missed.
CREATE TABLE listing_audit_heads (
    listing_id text PRIMARY KEY REFERENCES listings (id),
    sequence   bigint NOT NULL,
    hash       bytea NOT NULL
);

CREATE TRIGGER listing_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON listing_audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- SHA-256 over everything that the entry says, as one JSON array: no two entries have the same text.
CREATE FUNCTION listing_audit_hash(entry listing_audit) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        entry.listing_id,
        entry.sequence,
        to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US BC'),
        entry.actor,
        entry.action,
        entry.version,
        entry.details,
        encode(entry.previous_hash, 'hex')
    )::text, 'UTF8'))
$$;

CREATE FUNCTION listing_audit_append(p_listing_id text, p_action text, p_version integer, p_details jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    head  listing_audit_heads;
    entry listing_audit;
BEGIN
    INSERT INTO listing_audit_heads (listing_id, sequence, hash) VALUES (p_listing_id, 0, '')
    ON CONFLICT (listing_id) DO NOTHING;
    -- Whoever appends waits here for whoever is appending.
    SELECT * INTO head FROM listing_audit_heads WHERE listing_id = p_listing_id FOR UPDATE;
    entry.listing_id := p_listing_id;
    entry.sequence := head.sequence + 1;
    entry.at := clock_timestamp();
    entry.actor := COALESCE(NULLIF(current_setting('partner.actor', true), ''), session_user);
    entry.action := p_action;
    entry.version := p_version;
    entry.details := jsonb_strip_nulls(p_details);
    entry.previous_hash := head.hash;
    entry.hash := listing_audit_hash(entry);
    INSERT INTO listing_audit SELECT entry.*;
    UPDATE listing_audit_heads SET sequence = entry.sequence, hash = entry.hash WHERE listing_id = p_listing_id;
END
$$;

-- The first entry that does not follow from those before it; none if the trail is whole.
CREATE FUNCTION listing_audit_first_broken(p_listing_id text) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH trail AS (
        SELECT sequence,
               hash,
               hash = listing_audit_hash(entry)
                   AND previous_hash = COALESCE(lag(hash) OVER in_order, '')
                   AND sequence = row_number() OVER in_order AS follows
        FROM listing_audit entry
        WHERE listing_id = p_listing_id
        WINDOW in_order AS (ORDER BY sequence)
    ), head AS (
        SELECT sequence, hash FROM listing_audit_heads WHERE listing_id = p_listing_id
    )
    SELECT COALESCE(
        (SELECT min(sequence) FROM trail WHERE NOT follows),
        -- Entries that the head knows of and that are gone, or the other way round.
        (SELECT LEAST(COALESCE(max(trail.sequence), 0), COALESCE((SELECT sequence FROM head), 0)) + 1
         FROM trail
         HAVING COALESCE(max(trail.sequence), 0) <> COALESCE((SELECT sequence FROM head), 0)),
        (SELECT trail.sequence FROM trail JOIN head USING (sequence) WHERE trail.hash <> head.hash),
        -- Every listing was created.
        (SELECT 1 FROM listings WHERE id = p_listing_id AND NOT EXISTS (SELECT FROM trail))
    )
$$;

CREATE FUNCTION listings_write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM listing_audit_append(NEW.id, 'created', NEW.version,
            jsonb_build_object('status', NEW.status, 'userId', NEW.user_id, 'expiresAt', NEW.expires_at));
        RETURN NULL;
    END IF;
    IF NEW.user_id <> OLD.user_id THEN
        PERFORM listing_audit_append(NEW.id, 'owner_changed', NEW.version,
            jsonb_build_object('from', OLD.user_id, 'to', NEW.user_id));
    END IF;
    IF NEW.version <> OLD.version THEN
        PERFORM listing_audit_append(NEW.id, 'version_submitted', NEW.version, '{}');
    END IF;
    IF NEW.status <> OLD.status THEN
        PERFORM listing_audit_append(NEW.id, 'status_changed', NEW.version,
            jsonb_build_object('from', OLD.status, 'to', NEW.status, 'reason', NEW.status_reason));
    END IF;
    IF NEW.live_version IS DISTINCT FROM OLD.live_version THEN
        PERFORM listing_audit_append(NEW.id,
            CASE WHEN NEW.live_version IS NULL THEN 'taken_down' ELSE 'published' END,
            COALESCE(NEW.live_version, OLD.live_version), '{}');
    END IF;
    IF NEW.expires_at IS DISTINCT FROM OLD.expires_at THEN
        PERFORM listing_audit_append(NEW.id, 'expiration_changed', NEW.version,
            jsonb_build_object('from', OLD.expires_at, 'to', NEW.expires_at));
    END IF;
    IF NEW.escalated_at IS NOT NULL AND OLD.escalated_at IS NULL THEN
        PERFORM listing_audit_append(NEW.id, 'escalated', NEW.version, '{}');
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER listings_audit_insert AFTER INSERT ON listings
    FOR EACH ROW EXECUTE FUNCTION listings_write_audit();
CREATE TRIGGER listings_audit_update
    AFTER UPDATE OF user_id, version, status, live_version, expires_at, escalated_at ON listings
    FOR EACH ROW EXECUTE FUNCTION listings_write_audit();

CREATE FUNCTION review_decisions_write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM listing_audit_append(NEW.listing_id, 'decided', NEW.version,
        jsonb_build_object('decision', NEW.decision, 'provenance', NEW.provenance, 'reviewer', NEW.reviewer,
                           'comment', NEW.comment, 'score', NEW.score));
    RETURN NULL;
END
$$;

CREATE TRIGGER review_decisions_audit AFTER INSERT ON review_decisions
    FOR EACH ROW EXECUTE FUNCTION review_decisions_write_audit();
