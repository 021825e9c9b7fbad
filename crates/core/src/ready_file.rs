//! The file by which a process tells whoever started it that it is ready.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

/// Writes the process's id and its endpoints, as JSON; an error is logged, and nobody waits for ever for
/// want of a file that cannot be written.
pub fn write(path: Option<&Path>, endpoints: &impl Serialize) {
    let Some(path) = path else {
        return;
    };
    if let Err(error) = try_write(path, endpoints) {
        tracing::error!(%error, file = %path.display(), "cannot write the ready file");
    }
}

/// Written aside and renamed: whoever sees the file sees all of it.
fn try_write(path: &Path, endpoints: &impl Serialize) -> std::io::Result<()> {
    let mut document = json!({ "pid": std::process::id() });
    if let (Value::Object(document), Value::Object(endpoints)) =
        (&mut document, serde_json::to_value(endpoints)?)
    {
        document.extend(endpoints);
    }
    let aside = path.with_extension("new");
    std::fs::write(&aside, document.to_string())?;
    std::fs::rename(aside, path)
}
