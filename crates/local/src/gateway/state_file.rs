//! The file that keeps the books of a gateway that is started again.

use std::io::Write;
use std::path::Path;

use super::simulator::Books;
use crate::loopback::StartError;

/// The books in the file, or none if there is no file yet.
pub(super) fn read(path: &Path) -> Result<Option<Books>, StartError> {
    let unusable = |reason: String| StartError::StateFile {
        path: path.to_owned(),
        reason,
    };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    };
    let mut books: Books =
        serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    books.ledger.index();
    Ok(Some(books))
}

/// Replaces the file as a whole: a crash leaves the old one or the new one.
pub(super) fn write(path: &Path, books: &Books) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(books)?)?;
    file.persist(path)?;
    Ok(())
}
