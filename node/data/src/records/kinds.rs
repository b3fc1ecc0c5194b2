//! Kinds of file by their first bytes.

use std::path::Path;

use super::wrong::{TableError, TableFault};

/// A kind of file that is told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing tells it; it may be text.
    Text,
    /// Parquet.
    Parquet,
    /// An array or a picture, which other readers take.
    Array(&'static str),
    /// Something that is not read, and what to do.
    Other(&'static str, &'static str),
}

const SAVE_AS_CSV: &str = "save the sheet as \"CSV UTF-8\" and use that text file";
const UNPACK: &str = "unpack it, or pack the table with gzip or zstd";
const EXPORT: &str = "export the table from it as CSV text or as Parquet";

/// First bytes and what they tell.
const MAGIC: [(&[u8], Kind); 27] = [
    (b"PAR1", Kind::Parquet),
    (b"PARE", Kind::Other("an encrypted Parquet file", "write it again without encryption")),
    (b"\x93NUMPY", Kind::Array("a NumPy array")),
    (b"\x89PNG", Kind::Array("a PNG image")),
    (b"\xff\xd8\xff", Kind::Array("a JPEG image")),
    (b"GIF8", Kind::Array("a GIF image")),
    (b"BM", Kind::Array("a bitmap image")),
    (b"II*\0", Kind::Array("a TIFF image")),
    (b"MM\0*", Kind::Array("a TIFF image")),
    (b"RIFF", Kind::Array("an image or a sound")),
    (b"\x1f\x8b", Kind::Other("packed with gzip twice", "unpack it once")),
    (b"\x28\xb5\x2f\xfd", Kind::Other("packed with zstd twice", "unpack it once")),
    (b"BZh", Kind::Other("packed with bzip2", UNPACK)),
    (b"\xfd7zXZ\0", Kind::Other("packed with xz", UNPACK)),
    (b"7z\xbc\xaf", Kind::Other("a 7z archive", UNPACK)),
    (b"Rar!", Kind::Other("a RAR archive", UNPACK)),
    (b"\xd0\xcf\x11\xe0", Kind::Other("an old Excel workbook or other Office file, no text", SAVE_AS_CSV)),
    (b"%PDF", Kind::Other("a PDF document, no table in text", EXPORT)),
    (b"SQLite format 3", Kind::Other("an SQLite database", EXPORT)),
    (b"\x89HDF", Kind::Other("an HDF5 file", EXPORT)),
    (b"ARROW1", Kind::Other("an Arrow (Feather) file", EXPORT)),
    (b"Obj\x01", Kind::Other("an Avro file", EXPORT)),
    (b"ORC", Kind::Other("an ORC file", EXPORT)),
    (b"\x7fELF", Kind::Other("a program", "name a table")),
    (b"{\\rtf", Kind::Other("a rich text document", EXPORT)),
    (b"version https://git-lfs", Kind::Other("a placeholder of Git LFS", "fetch the file itself with `git lfs pull`")),
    (b"<?xml", Kind::Other("an XML document", EXPORT)),
];

/// What the first bytes of a file, unpacked, tell. 512 bytes are enough.
pub(super) fn kind(head: &[u8], path: &Path) -> Kind {
    if head.starts_with(b"PK\x03\x04") {
        return zip(head, path);
    }
    // IDX: two zeros, the type of its values, the number of its sizes.
    if let [0, 0, 0x08..=0x0e, 1..=8, ..] = head {
        return Kind::Array("an IDX file");
    }
    // Bytes that two letters begin with may be text.
    let text = |magic: &[u8]| magic.is_ascii() && magic.len() <= 3 && !head.contains(&0);
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic) && !text(magic)) {
        return *kind;
    }
    let start: Vec<u8> = head.trim_ascii_start().iter().take(14).map(u8::to_ascii_lowercase).collect();
    if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") {
        return Kind::Other("a web page, perhaps the answer to a failed download", "download the file again");
    }
    match head.get(257..262) {
        Some(b"ustar") => Kind::Other("a tar archive", UNPACK),
        _ => Kind::Text,
    }
}

fn zip(head: &[u8], path: &Path) -> Kind {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let names = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
    match extension.as_str() {
        "npz" => Kind::Array("a file of NumPy arrays"),
        "xlsx" | "xlsm" | "xls" => Kind::Other("an Excel workbook, no text", SAVE_AS_CSV),
        "ods" => Kind::Other("an OpenDocument workbook, no text", SAVE_AS_CSV),
        "docx" | "odt" => Kind::Other("a document of a word processor", EXPORT),
        _ if names(b".npy") => Kind::Array("a file of NumPy arrays"),
        _ if names(b"[Content_Types].xml") || names(b"xl/") => {
            Kind::Other("an Excel workbook or other Office file, no text", SAVE_AS_CSV)
        }
        _ => Kind::Other("a zip archive", UNPACK),
    }
}

/// A complaint about a kind that is no table; none about text and Parquet.
pub(super) fn refused(kind: Kind, path: &Path) -> Option<TableError> {
    let (what, mend) = match kind {
        Kind::Text | Kind::Parquet => return None,
        Kind::Array(what) => (what, "tables are text (CSV, JSON lines) or Parquet"),
        Kind::Other(what, mend) => (what, mend),
    };
    Some(TableError::new(TableFault::FormatError, path, format!("it is {what}")).mend(mend))
}

/// A complaint about bytes that are neither text nor anything known.
pub(super) fn no_text(path: &Path) -> TableError {
    TableError::new(TableFault::FormatError, path, "its bytes are no text in UTF-8, UTF-16 or another encoding")
        .mend("tables are text (CSV, JSON lines) or Parquet, plain or packed with gzip or zstd")
}
