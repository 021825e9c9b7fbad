//! The embedded search index: PostgreSQL's full text search over a table of its own.
//!
//! A write is one statement that looks at the row's version and writes in the same breath, so that
//! two writes that meet cannot both win. The migration that creates the table explains its columns.

mod words;

use async_trait::async_trait;
use partner_core::database::DatabaseError;
use partner_core::ports::search_index::{
    SearchDocument, SearchIndex, SearchIndexError, SearchPage, SearchQuery, check_listing_id,
    check_write, place_key,
};
use rust_decimal::Decimal;
use sqlx::PgPool;
use sqlx::postgres::PgQueryResult;

use crate::search_position::{self, Position};

/// The search index in the platform's own database.
#[derive(Debug, Clone)]
pub struct PostgresSearchIndex {
    pool: PgPool,
}

impl PostgresSearchIndex {
    /// The index of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    async fn upsert(&self, document: &SearchDocument) -> Result<PgQueryResult, sqlx::Error> {
        let content = Content::of(document);
        sqlx::query!(
            "INSERT INTO search_documents AS indexed
                 (listing_id, version, removed, title, description, price, city, state, address,
                  zip_code, bedrooms, bathrooms, area, images, city_key, state_key, title_words,
                  place_words, description_words)
             VALUES ($1, $2, false, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                     $17, $18)
             ON CONFLICT (listing_id) DO UPDATE
             SET version = excluded.version,
                 removed = excluded.removed,
                 title = excluded.title,
                 description = excluded.description,
                 price = excluded.price,
                 city = excluded.city,
                 state = excluded.state,
                 address = excluded.address,
                 zip_code = excluded.zip_code,
                 bedrooms = excluded.bedrooms,
                 bathrooms = excluded.bathrooms,
                 area = excluded.area,
                 images = excluded.images,
                 city_key = excluded.city_key,
                 state_key = excluded.state_key,
                 title_words = excluded.title_words,
                 place_words = excluded.place_words,
                 description_words = excluded.description_words
             WHERE indexed.version <= excluded.version",
            document.listing_id,
            document.version,
            storable(&document.title),
            storable(&document.description),
            document.price,
            storable(&document.city),
            storable(&document.state),
            storable(&document.address),
            document.zip_code.as_deref().map(storable),
            document.bedrooms,
            document.bathrooms,
            document.area,
            &content.images,
            content.city_key,
            content.state_key,
            content.title_words,
            content.place_words,
            content.description_words
        )
        .execute(&self.pool)
        .await
    }

    async fn bury(&self, listing_id: &str, version: i64) -> Result<PgQueryResult, sqlx::Error> {
        sqlx::query!(
            "INSERT INTO search_documents AS indexed (listing_id, version, removed)
             VALUES ($1, $2, true)
             ON CONFLICT (listing_id) DO UPDATE
             SET version = excluded.version,
                 removed = true,
                 title = NULL,
                 description = NULL,
                 price = NULL,
                 city = NULL,
                 state = NULL,
                 address = NULL,
                 zip_code = NULL,
                 bedrooms = NULL,
                 bathrooms = NULL,
                 area = NULL,
                 images = NULL,
                 city_key = NULL,
                 state_key = NULL,
                 title_words = NULL,
                 place_words = NULL,
                 description_words = NULL
             WHERE indexed.version <= excluded.version",
            listing_id,
            version
        )
        .execute(&self.pool)
        .await
    }

    /// The hits after a position, and how relevant each is.
    ///
    /// A word counts again wherever it is repeated, so a description counts so little that repeating
    /// a word in it dozens of times does not outdo a title; without a text all are equally relevant.
    /// The rank of a row depends on nothing but the row and the text, so what others write between
    /// two pages moves no other hit.
    async fn hits(
        &self,
        query: &SearchQuery,
        after: Option<&Position>,
        limit: i64,
    ) -> Result<Vec<Row>, sqlx::Error> {
        let text = query.typed().map(|text| words::web_search(&text));
        sqlx::query_as!(
            Row,
            r#"SELECT listing_id,
                      version,
                      title AS "title!",
                      description AS "description!",
                      price AS "price!",
                      city AS "city!",
                      state AS "state!",
                      address AS "address!",
                      zip_code,
                      bedrooms,
                      bathrooms,
                      area,
                      images AS "images!",
                      relevance AS "relevance!"
               FROM (
                   SELECT indexed.*,
                          coalesce(ts_rank_cd('{0, 0.01, 0.4, 1}', document, wanted), 0) AS relevance
                   FROM search_documents AS indexed,
                        websearch_to_tsquery('english', $1) AS wanted
                   WHERE NOT removed
                     AND ($1::text IS NULL OR document @@ wanted)
                     AND ($2::numeric IS NULL OR price >= $2)
                     AND ($3::numeric IS NULL OR price <= $3)
                     AND ($4::text IS NULL OR city_key = $4)
                     AND ($5::text IS NULL OR state_key = $5)
                     AND ($6::numeric IS NULL OR bedrooms >= $6)
               ) AS hit
               WHERE $7::real IS NULL
                  OR relevance < $7
                  OR relevance = $7 AND listing_id > $8
               ORDER BY relevance DESC, listing_id
               LIMIT $9"#,
            text,
            query.min_price,
            query.max_price,
            query.city_key(),
            query.state_key(),
            query.min_bedrooms,
            after.map(|Position(relevance, _)| *relevance),
            after.map(|Position(_, listing_id)| listing_id),
            limit
        )
        .fetch_all(&self.pool)
        .await
    }
}

#[async_trait]
impl SearchIndex for PostgresSearchIndex {
    async fn publish(&self, document: &SearchDocument) -> Result<(), SearchIndexError> {
        check_write(&document.listing_id, document.version)?;
        let written = self.upsert(document).await.map_err(database)?;
        won(&written, &document.listing_id, document.version)
    }

    async fn remove(&self, listing_id: &str, version: i64) -> Result<(), SearchIndexError> {
        check_write(listing_id, version)?;
        let written = self.bury(listing_id, version).await.map_err(database)?;
        won(&written, listing_id, version)
    }

    async fn search(&self, query: &SearchQuery) -> Result<SearchPage, SearchIndexError> {
        let after = query.after.as_ref().map(Position::read).transpose()?;
        let page_size = query.page_size();
        let limit = i64::try_from(page_size + 1).unwrap_or(i64::MAX);
        let rows = self
            .hits(query, after.as_ref(), limit)
            .await
            .map_err(database)?;
        let hits = rows.into_iter().map(Row::into_hit).collect();
        Ok(search_position::page(hits, page_size))
    }

    async fn lookup(&self, listing_id: &str) -> Result<Option<SearchDocument>, SearchIndexError> {
        check_listing_id(listing_id)?;
        let row = sqlx::query_as!(
            Row,
            r#"SELECT listing_id,
                      version,
                      title AS "title!",
                      description AS "description!",
                      price AS "price!",
                      city AS "city!",
                      state AS "state!",
                      address AS "address!",
                      zip_code,
                      bedrooms,
                      bathrooms,
                      area,
                      images AS "images!",
                      0::real AS "relevance!"
               FROM search_documents
               WHERE listing_id = $1 AND NOT removed"#,
            listing_id
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(database)?;
        Ok(row.map(|row| row.into_hit().1))
    }
}

/// What a row holds beside the document's own fields.
struct Content {
    images: Vec<String>,
    city_key: String,
    state_key: String,
    title_words: String,
    place_words: String,
    description_words: String,
}

impl Content {
    fn of(document: &SearchDocument) -> Self {
        let place = [
            document.address.as_str(),
            &document.city,
            &document.state,
            document.zip_code.as_deref().unwrap_or_default(),
        ];
        Self {
            images: document.images.iter().map(|url| storable(url)).collect(),
            city_key: place_key(&document.city),
            state_key: place_key(&document.state),
            title_words: words::of(&document.title),
            place_words: words::of(&place.join(" ")),
            description_words: words::of(&document.description),
        }
    }
}

/// A row that is not removed.
struct Row {
    listing_id: String,
    version: i64,
    title: String,
    description: String,
    price: Decimal,
    city: String,
    state: String,
    address: String,
    zip_code: Option<String>,
    bedrooms: Option<Decimal>,
    bathrooms: Option<Decimal>,
    area: Option<Decimal>,
    images: Vec<String>,
    relevance: f32,
}

impl Row {
    fn into_hit(self) -> (Position, SearchDocument) {
        let position = Position(self.relevance, self.listing_id.clone());
        let document = SearchDocument {
            listing_id: self.listing_id,
            version: self.version,
            title: self.title,
            description: self.description,
            price: self.price,
            city: self.city,
            state: self.state,
            address: self.address,
            zip_code: self.zip_code,
            bedrooms: self.bedrooms,
            bathrooms: self.bathrooms,
            area: self.area,
            images: self.images,
        };
        (position, document)
    }
}

/// A write that changed no row met a newer one.
fn won(written: &PgQueryResult, listing_id: &str, version: i64) -> Result<(), SearchIndexError> {
    if written.rows_affected() == 0 {
        return Err(SearchIndexError::Superseded {
            listing_id: listing_id.to_owned(),
            version,
        });
    }
    Ok(())
}

/// PostgreSQL's text holds everything but this character.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

fn database(error: sqlx::Error) -> SearchIndexError {
    DatabaseError::from(error).into()
}
