-- Where a user lives, and when they want to be left alone.
ALTER TABLE users
    -- IANA's name of the zone, such as Europe/Berlin.
    ADD COLUMN time_zone     text NOT NULL DEFAULT 'UTC',
    -- Quiet hours by the user's clock; from 22:00 until 07:00 spans midnight.
    ADD COLUMN quiet_from    time,
    ADD COLUMN quiet_until   time,
    -- Why the status is what it is, where that needs words: a failed onboarding.
    ADD COLUMN status_reason text,
    ADD CONSTRAINT users_quiet_hours_whole CHECK ((quiet_from IS NULL) = (quiet_until IS NULL));

-- Whoever tells a user something may know them by their address.
CREATE INDEX users_email ON users (lower(email));

-- The state machine of a user, for everyone who writes this table.
CREATE TABLE user_status_steps (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);

INSERT INTO user_status_steps (from_status, to_status) VALUES
    ('pending',           'onboarding'),
    ('pending',           'suspended'),
    ('onboarding',        'active'),
    ('onboarding',        'onboarding_failed'),
    ('onboarding',        'suspended'),
    ('onboarding_failed', 'onboarding'),
    ('onboarding_failed', 'suspended'),
    -- The last step of an onboarding comes after the user is active, and may still fail it.
    ('active',            'onboarding_failed'),
    ('active',            'suspended'),
    ('suspended',         'active');

CREATE FUNCTION users_check_status_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM user_status_steps WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'user % is %, they cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'users_status_step';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER users_status_step BEFORE UPDATE OF status ON users
    FOR EACH ROW EXECUTE FUNCTION users_check_status_step();
