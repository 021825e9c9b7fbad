-- The embedded search index: one row a listing that was ever written to it. It owns nothing: all of it can
-- be written again from the listings.
CREATE TABLE search_documents (
    -- Bytewise, so that the order of equally relevant hits is the same in every database.
    listing_id           text COLLATE "C" PRIMARY KEY,
    -- Of the last write, publish or removal. One with a lower version comes late and changes nothing.
    version              bigint NOT NULL CONSTRAINT search_documents_version_not_negative CHECK (version >= 0),
    -- A removed listing keeps its row, without content: a publish that comes late must meet the removal.
    removed              boolean NOT NULL,

    -- What was published, as it was published.
    title                text,
    description          text,
    price                numeric,
    city                 text,
    state                text,
    address              text,
    zip_code             text,
    bedrooms             numeric,
    bathrooms            numeric,
    area                 numeric,
    images               text[],

    -- The city and the state in lower case. The writer makes them, because lower() knows the letters beyond
    -- ASCII only in some locales, and the embedded platform's is C.
    city_key             text,
    state_key            text,

    -- The words of the title, of the place (address, city, state, postal code) and of the description, in lower
    -- case and without punctuation. The writer makes them, for the same reason, and because the parser takes
    -- "flat/apartment" for the name of a file and "room-5" for a number below zero.
    title_words          text,
    place_words          text,
    description_words    text,

    -- `english` and not `simple`: people type "apartments" and mean the apartment too. Words of other languages
    -- are cut by the same rules on both sides, so that they still find themselves. The price is that a stop word
    -- ("in", "to") is not searched for; cities and states such as OR and IN are filtered by, not searched.
    document             tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title_words), 'A')
        || setweight(to_tsvector('english', place_words), 'B')
        || setweight(to_tsvector('english', description_words), 'C')
    ) STORED,

    CONSTRAINT search_documents_content_whole CHECK (
        num_nulls(title, description, price, city, state, address, images,
                  city_key, state_key, title_words, place_words, description_words)
        = CASE WHEN removed THEN 12 ELSE 0 END
    )
);

CREATE INDEX search_documents_document ON search_documents USING gin (document) WHERE NOT removed;

-- The filters: a state, a city of it, a city alone, a price alone. Bedrooms have none, because few numbers share
-- all the rows.
CREATE INDEX search_documents_state_city ON search_documents (state_key, city_key, price) WHERE NOT removed;
CREATE INDEX search_documents_city ON search_documents (city_key, price) WHERE NOT removed;
CREATE INDEX search_documents_price ON search_documents (price) WHERE NOT removed;
