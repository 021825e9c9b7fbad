//! A piece of a backup: rows as lines of JSON, compressed.

use std::io::{self, BufRead, BufReader, Write as _};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::CleanupType;
use super::files::FileCopy;
use crate::repository::cleanup::StoredRow;

/// The SHA-256 of a row's text.
pub(super) type RowHash = [u8; 32];

/// One row of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    /// The table.
    pub(super) table: &'a str,
    /// The row's key.
    pub(super) key: i64,
    /// The SHA-256 of the row's text, in hexadecimal.
    pub(super) sha256: &'a str,
    /// The whole row, in the very text that PostgreSQL writes for it: the hash is over that.
    #[serde(borrow)]
    pub(super) row: &'a RawValue,
    /// The copy of its content, if the row stands for a file that there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<FileCopy>,
}

/// What deleting needs of a line.
#[derive(Debug, Deserialize)]
pub(super) struct KeyLine<'a> {
    pub(super) key: i64,
    sha256: &'a str,
}

impl KeyLine<'_> {
    pub(super) fn hash(&self) -> io::Result<RowHash> {
        let mut hash = [0; 32];
        hex::decode_to_slice(self.sha256, &mut hash).map_err(io::Error::other)?;
        Ok(hash)
    }
}

/// The hash of a row's text, or of any content.
pub(super) fn sha256_hex(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// Writes a segment into memory.
pub(super) struct SegmentWriter {
    table: &'static str,
    gzip: GzEncoder<Vec<u8>>,
    rows: u64,
    keys: Option<(i64, i64)>,
    copies: Vec<String>,
}

/// A segment that was written.
pub(super) struct Segment {
    pub(super) content: Vec<u8>,
    pub(super) sha256: String,
    pub(super) rows: u64,
    pub(super) first_key: i64,
    pub(super) last_key: i64,
    /// The names of the copies of its rows' files.
    pub(super) copies: Vec<String>,
}

impl SegmentWriter {
    pub(super) fn new(cleanup_type: CleanupType) -> Self {
        Self {
            table: cleanup_type.table(),
            // The same rows make the same bytes: no time and no name is in the header.
            gzip: GzEncoder::new(Vec::new(), Compression::fast()),
            rows: 0,
            keys: None,
            copies: Vec::new(),
        }
    }

    /// Adds a row. Its text is taken as it is.
    pub(super) fn push(&mut self, row: &StoredRow, file: Option<FileCopy>) -> io::Result<()> {
        // A column of the type `json` could have one, outside of its strings.
        if row.text.contains('\n') {
            return Err(io::Error::other(format!(
                "the row {} has a line break",
                row.id
            )));
        }
        let line = Line {
            table: self.table,
            key: row.id,
            sha256: &sha256_hex(row.text.as_bytes()),
            row: serde_json::from_str(&row.text)?,
            file,
        };
        serde_json::to_writer(&mut self.gzip, &line)?;
        self.gzip.write_all(b"\n")?;
        self.copies.extend(line.file.map(|file| file.name));
        self.rows += 1;
        let first = self.keys.map_or(row.id, |(first, _)| first);
        self.keys = Some((first, row.id));
        Ok(())
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes there are so far, without those that the compression still holds back.
    pub(super) fn bytes(&self) -> usize {
        self.gzip.get_ref().len()
    }

    /// The segment, or `None` if there is no row in it.
    pub(super) fn finish(self) -> io::Result<Option<Segment>> {
        let Some((first_key, last_key)) = self.keys else {
            return Ok(None);
        };
        let content = self.gzip.finish()?;
        Ok(Some(Segment {
            sha256: sha256_hex(&content),
            content,
            rows: self.rows,
            first_key,
            last_key,
            copies: self.copies,
        }))
    }
}

/// Reads the lines of a segment that is in memory.
pub(super) struct SegmentReader<'a> {
    lines: BufReader<GzDecoder<&'a [u8]>>,
    line: String,
}

impl<'a> SegmentReader<'a> {
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self {
            lines: BufReader::new(GzDecoder::new(content)),
            line: String::new(),
        }
    }

    /// The next line's text; `None` after the last one.
    pub(super) fn next(&mut self) -> io::Result<Option<&str>> {
        self.line.clear();
        let read = self.lines.read_line(&mut self.line)?;
        Ok((read > 0).then_some(self.line.trim_end_matches('\n')))
    }

    /// The next line; `None` after the last one.
    ///
    /// A row that is not what its hash says is an error.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(text) = self.next()? else {
            return Ok(None);
        };
        let line: Line<'_> = serde_json::from_str(text)?;
        if sha256_hex(line.row.get().as_bytes()) != line.sha256 {
            let what = format!("the row {} is not what its hash says", line.key);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn row(id: i64, text: &str) -> StoredRow {
        StoredRow {
            id,
            at: DateTime::UNIX_EPOCH,
            text: text.to_owned(),
        }
    }

    fn written() -> Segment {
        let mut writer = SegmentWriter::new(CleanupType::Logs);
        writer
            .push(&row(7, r#"{"id": 7, "n": 1.00, "s": "\\n\u00fc\""}"#), None)
            .unwrap();
        writer.push(&row(3, r#"{"id": 3}"#), None).unwrap();
        writer.finish().unwrap().unwrap()
    }

    #[test]
    fn rows_come_back_in_the_very_text_that_they_had() {
        let segment = written();
        assert_eq!(
            (segment.rows, segment.first_key, segment.last_key),
            (2, 7, 3)
        );
        let mut reader = SegmentReader::new(&segment.content);
        let line = reader.next_line().unwrap().unwrap();
        assert_eq!((line.table, line.key), ("application_logs", 7));
        assert_eq!(
            line.row.get(),
            r#"{"id": 7, "n": 1.00, "s": "\\n\u00fc\""}"#
        );
        assert_eq!(
            reader.next_line().unwrap().unwrap().row.get(),
            r#"{"id": 3}"#
        );
        assert!(reader.next_line().unwrap().is_none());
    }

    #[test]
    fn the_same_rows_make_the_same_bytes() {
        assert_eq!(written().content, written().content);
        assert!(
            SegmentWriter::new(CleanupType::Logs)
                .finish()
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_row_with_a_line_break_is_no_line() {
        let mut writer = SegmentWriter::new(CleanupType::Logs);
        writer.push(&row(1, "{\n}"), None).unwrap_err();
    }

    #[test]
    fn a_row_that_is_not_what_its_hash_says_is_an_error() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let hash = sha256_hex(b"{}");
        writeln!(
            gzip,
            r#"{{"table":"sessions","key":1,"sha256":"{hash}","row":{{"a":1}}}}"#
        )
        .unwrap();
        let content = gzip.finish().unwrap();
        let error = SegmentReader::new(&content).next_line().unwrap_err();
        assert!(error.to_string().contains("row 1"), "{error}");
    }

    #[test]
    fn a_segment_that_was_cut_off_is_an_error() {
        let content = written().content;
        let mut reader = SegmentReader::new(&content[..content.len() - 9]);
        let read: io::Result<Vec<_>> = std::iter::from_fn(|| {
            reader
                .next_line()
                .map(|line| line.map(|line| line.key))
                .transpose()
        })
        .collect();
        read.unwrap_err();
    }
}
