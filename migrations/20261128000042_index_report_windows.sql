-- Reports read the rows of two periods, each by the time that makes a row count in it. None of these
-- times changes any more, or changes once, so that the indexes cost updates nothing.
CREATE INDEX orders_created_at ON orders (created_at);
CREATE INDEX users_created_at ON users (created_at);
CREATE INDEX deliveries_created_at ON deliveries (created_at);
CREATE INDEX inbox_messages_read_at ON inbox_messages (read_at) WHERE read_at IS NOT NULL;
