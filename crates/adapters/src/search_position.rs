//! Where a page of a search ends, for every index that ranks by a number and then by id.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use partner_core::ports::search_index::{
    SearchCursor, SearchDocument, SearchIndexError, SearchPage, check_listing_id,
};
use serde::{Deserialize, Serialize};

/// A hit's place in the order. Its JSON is an array, as a search engine writes and reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position(pub(crate) f32, pub(crate) String);

impl Position {
    /// Reads what [`cursor`](Self::cursor) wrote. It came from outside, and could be anything.
    pub(crate) fn read(cursor: &SearchCursor) -> Result<Self, SearchIndexError> {
        let position: Self = BASE64_URL_SAFE_NO_PAD
            .decode(cursor.as_str())
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .filter(|Self(relevance, _)| relevance.is_finite())
            .ok_or_else(no_cursor)?;
        check_listing_id(&position.1).map_err(|_| no_cursor())?;
        Ok(position)
    }

    fn cursor(&self) -> SearchCursor {
        // An array of a number and a text always becomes JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        SearchCursor::new(BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

/// The page that these hits make: one more than it holds says that there is another.
pub(crate) fn page(mut hits: Vec<(Position, SearchDocument)>, page_size: usize) -> SearchPage {
    let is_last = hits.len() <= page_size;
    hits.truncate(page_size);
    let last = hits.last().filter(|_| !is_last);
    SearchPage {
        next: last.map(|(position, _)| position.cursor()),
        hits: hits.into_iter().map(|(_, document)| document).collect(),
    }
}

fn no_cursor() -> SearchIndexError {
    SearchIndexError::Invalid("the cursor is none of this index".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_cursor_is_refused() {
        for json in [
            "",
            "{}",
            "[1]",
            r#"["a","b"]"#,
            r#"[1e99,"a"]"#,
            r#"[1,"a\u0000"]"#,
            r#"[1,""]"#,
            r#"[1,"a",2]"#,
        ] {
            let cursor = SearchCursor::new(BASE64_URL_SAFE_NO_PAD.encode(json));
            let answer = Position::read(&cursor);
            assert!(
                matches!(answer, Err(SearchIndexError::Invalid(_))),
                "{json}: {answer:?}"
            );
        }
        assert!(Position::read(&SearchCursor::new("not base64!")).is_err());
    }

    proptest! {
        #[test]
        fn a_position_survives_to_the_last_bit(
            relevance in prop::num::f32::NORMAL | prop::num::f32::ZERO,
            id in "[^\\p{C}]{1,40}",
        ) {
            prop_assume!(check_listing_id(&id).is_ok());
            let position = Position(relevance, id);
            let read = Position::read(&position.cursor()).unwrap();
            prop_assert_eq!(read.0.to_bits(), position.0.to_bits());
            prop_assert_eq!(read.1, position.1);
        }
    }
}
