//! A piece of a backup: rows as lines of JSON, compressed.

use std::io::{self, BufRead, BufReader, Write as _};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::CleanupType;
use super::files::FileCopy;
use crate::repository::cleanup::{Batch, StoredRow};

/// One row of a backup.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    /// The table.
    pub(super) table: &'a str,
    /// The row's key.
    pub(super) key: i64,
    /// The whole row, in the very text that PostgreSQL writes for it.
    #[serde(borrow)]
    pub(super) row: &'a RawValue,
    /// The copy of its content, if the row stands for a file that there was.
    #[serde(default)]
    pub(super) file: Option<FileCopy>,
}

/// What deleting needs of a line.
#[derive(Debug, Deserialize)]
struct KeyLine<'a> {
    key: i64,
    #[serde(borrow)]
    row: &'a RawValue,
}

/// What deleting needs of a segment, in the order of its rows.
#[derive(Debug, Default)]
pub(super) struct SegmentKeys {
    keys: Vec<i64>,
    hashes: Vec<[u8; 32]>,
}

/// The hash of any content.
pub(super) fn sha256_hex(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// Writes a segment into memory.
pub(super) struct SegmentWriter {
    table: &'static str,
    line: Vec<u8>,
    lines: Sha256,
    gzip: GzEncoder<Vec<u8>>,
    rows: u64,
    keys: Option<(i64, i64)>,
    copies: Vec<String>,
}

/// A segment that was written.
pub(super) struct Segment {
    pub(super) content: Vec<u8>,
    pub(super) sha256: String,
    /// The SHA-256 of the lines before they were compressed, in hexadecimal.
    pub(super) lines_sha256: String,
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
            line: Vec::new(),
            lines: Sha256::new(),
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
        self.write_line(row, file.as_ref())?;
        self.copies.extend(file.map(|file| file.name));
        self.rows += 1;
        let first = self.keys.map_or(row.id, |(first, _)| first);
        self.keys = Some((first, row.id));
        Ok(())
    }

    /// The text is put in as it is: reading back finds out whether the line is JSON.
    fn write_line(&mut self, row: &StoredRow, file: Option<&FileCopy>) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        write!(
            line,
            r#"{{"table":"{}","key":{},"row":{}"#,
            self.table, row.id, row.text
        )?;
        if let Some(file) = file {
            line.extend_from_slice(br#","file":"#);
            serde_json::to_writer(&mut *line, file)?;
        }
        line.extend_from_slice(b"}\n");
        self.lines.update(&*line);
        self.gzip.write_all(line)
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
            lines_sha256: hex::encode(self.lines.finalize()),
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

    /// The next line's text, with its line break; `None` after the last one.
    fn next(&mut self) -> io::Result<Option<&str>> {
        self.line.clear();
        let read = self.lines.read_line(&mut self.line)?;
        Ok((read > 0).then_some(&self.line))
    }

    /// The next line; `None` after the last one.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(text) = self.next()? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(text)?))
    }

    /// The next line, whose text goes into a checksum.
    pub(super) fn next_line_into(&mut self, sha256: &mut Sha256) -> io::Result<Option<Line<'_>>> {
        let Some(text) = self.next()? else {
            return Ok(None);
        };
        sha256.update(text);
        Ok(Some(serde_json::from_str(text)?))
    }
}

impl SegmentKeys {
    /// Those of a segment that is in memory.
    pub(super) fn read(content: &[u8]) -> io::Result<Self> {
        let mut reader = SegmentReader::new(content);
        let mut keys = Self::default();
        while let Some(text) = reader.next()? {
            let line: KeyLine<'_> = serde_json::from_str(text)?;
            keys.keys.push(line.key);
            keys.hashes.push(Sha256::digest(line.row.get()).into());
        }
        Ok(keys)
    }

    /// How many rows there are.
    pub(super) const fn len(&self) -> u64 {
        self.keys.len() as u64
    }

    /// The rows after so many of them, in batches of so many.
    pub(super) fn batches(&self, skipped: u64, rows: usize) -> impl Iterator<Item = Batch<'_>> {
        let all = self.keys.len();
        let skipped = usize::try_from(skipped).map_or(all, |skipped| skipped.min(all));
        (skipped..all).step_by(rows).map(move |first| {
            let batch = first..all.min(first + rows);
            Batch {
                keys: &self.keys[batch.clone()],
                hashes: &self.hashes[batch],
            }
        })
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
    fn keys_come_with_the_hashes_of_their_rows() {
        let keys = SegmentKeys::read(&written().content).unwrap();
        let batches: Vec<_> = keys.batches(0, 2).collect();
        let [batch] = batches[..] else {
            panic!("{batches:?}");
        };
        assert_eq!(batch.keys, [7, 3]);
        let rows = [
            r#"{"id": 7, "n": 1.00, "s": "\\n\u00fc\""}"#,
            r#"{"id": 3}"#,
        ];
        let hashes = rows.map(|row| Sha256::digest(row).into());
        assert_eq!(batch.hashes, hashes as [[u8; 32]; 2]);
    }

    #[test]
    fn batches_go_on_after_what_was_gone_through() {
        let mut writer = SegmentWriter::new(CleanupType::Logs);
        for id in 0..7 {
            writer.push(&row(id, "{}"), None).unwrap();
        }
        let keys = SegmentKeys::read(&writer.finish().unwrap().unwrap().content).unwrap();
        let batches = |skipped| -> Vec<_> { keys.batches(skipped, 3).map(|b| b.keys).collect() };
        assert_eq!(batches(0), [&[0, 1, 2][..], &[3, 4, 5], &[6]]);
        assert_eq!(batches(5), [&[5, 6]]);
        assert!(batches(7).is_empty() && batches(8).is_empty());
    }

    #[test]
    fn the_checksum_of_the_lines_is_over_all_of_them() {
        let segment = written();
        let mut reader = SegmentReader::new(&segment.content);
        let mut sha256 = Sha256::new();
        while reader.next_line_into(&mut sha256).unwrap().is_some() {}
        assert_eq!(hex::encode(sha256.finalize()), segment.lines_sha256);
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
