//! The binding of the importer for JavaScript. It converts values and decides nothing.
//!
//! Values cross as plain objects of the shapes in `pwa-shim/src/generated/types.ts`, as in the binding of the core. A panic is
//! reported on the console and ends the instance.

mod file;

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use tourismo_core::fix::{Fix, packed};
use tourismo_core::id::DocId;
use tourismo_core::kind::DocKind;
use tourismo_core::time::Timestamp;
use tourismo_import::Import;
use tourismo_import::write::account::AccountWriter;
use tourismo_import::write::destination::{self, Destination};
use tourismo_import::write::{self, ExportFormat};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use self::file::JsFile;

/// Reads the drives of a file one by one.
#[wasm_bindgen]
pub struct Importer {
    import: Import<JsFile>,
}

#[wasm_bindgen]
impl Importer {
    /// Reads a file of this name and length. `read(offset, count)` returns `count` bytes from the offset on.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str, length: f64, read: js_sys::Function) -> Importer {
        Importer { import: Import::new(name, JsFile::new(length as u64, read)) }
    }

    /// Returns the next `Found`; `undefined` at the end.
    ///
    /// # Errors
    /// If the value cannot be converted.
    #[wasm_bindgen(js_name = readNext)]
    pub fn read_next(&mut self) -> Result<JsValue, JsValue> {
        const SHAPES: Serializer = Serializer::json_compatible().serialize_bytes_as_arrays(false);
        match self.import.next() {
            Some(found) => Ok(found.serialize(&SHAPES)?),
            None => Ok(JsValue::UNDEFINED),
        }
    }
}

/// Writes an archive of an account, file by file. Take the bytes after each file.
#[wasm_bindgen]
pub struct ArchiveWriter {
    writer: AccountWriter,
}

#[wasm_bindgen]
impl ArchiveWriter {
    /// Begins an archive.
    #[wasm_bindgen(constructor)]
    #[expect(clippy::new_without_default, reason = "JavaScript has constructors only")]
    pub fn new() -> ArchiveWriter {
        ArchiveWriter { writer: AccountWriter::new() }
    }

    /// Adds a document of a kind: its number, its id and its content; for a drive also its track.
    ///
    /// # Errors
    /// If the kind or the id is unknown, or the archive has the document already.
    #[wasm_bindgen(js_name = addDocument)]
    pub fn add_document(
        &mut self,
        kind: JsValue,
        id: &str,
        bytes: &[u8],
        track: Option<Vec<u8>>,
    ) -> Result<(), JsValue> {
        let kind: DocKind = serde_wasm_bindgen::from_value(kind)?;
        self.writer.add_document(kind, &doc_id(id)?, bytes, track.as_deref()).map_err(js_error)
    }

    /// Adds the fixes of a drive as GPX. `fixes` and `parts` are those of a `CommandOutcome` of type `fixes`.
    ///
    /// # Errors
    /// If the id is none, or the archive has the file already.
    #[wasm_bindgen(js_name = addGpx)]
    pub fn add_gpx(
        &mut self,
        id: &str,
        title: &str,
        started_at: f64,
        fixes: &[u8],
        parts: &[u32],
    ) -> Result<(), JsValue> {
        let fixes: Vec<Fix> = packed::unpack(fixes).collect();
        let parts = split(&fixes, parts);
        self.writer.add_gpx(&doc_id(id)?, title, Timestamp(started_at as i64), &parts).map_err(js_error)
    }

    /// Adds a file of JSON.
    ///
    /// # Errors
    /// If the archive has the file already.
    #[wasm_bindgen(js_name = addJson)]
    pub fn add_json(&mut self, name: &str, json: &str) -> Result<(), JsValue> {
        self.writer.add_json(name, json).map_err(js_error)
    }

    /// Returns the bytes since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        self.writer.take()
    }

    /// Ends the archive of an account with its manifest and the ids of documents that could not be read. Returns the last
    /// bytes.
    ///
    /// # Errors
    /// If an id is none.
    pub fn finish(self, account: &str, exported_at: f64, missing: Vec<String>) -> Result<Vec<u8>, JsValue> {
        let account = account.parse().map_err(js_error)?;
        let missing = missing.iter().map(|id| doc_id(id)).collect::<Result<Vec<_>, _>>()?;
        self.writer.finish(account, Timestamp(exported_at as i64), missing).map_err(js_error)
    }
}

fn doc_id(id: &str) -> Result<DocId, JsValue> {
    id.parse().map_err(js_error)
}

fn js_error(error: impl std::fmt::Display) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}

/// Splits fixes into parts of these lengths.
fn split<'a>(fixes: &'a [Fix], parts: &[u32]) -> Vec<&'a [Fix]> {
    let mut rest = fixes;
    let part = |count: &u32| {
        let (part, behind) = rest.split_at((*count as usize).min(rest.len()));
        rest = behind;
        part
    };
    parts.iter().map(part).collect()
}

/// Writes a drive as a file: `fixes` and `parts` are those of a `CommandOutcome` of type `fixes`.
///
/// # Errors
/// An unknown format.
#[wasm_bindgen(js_name = writeDrive)]
pub fn write_drive(format: &str, title: &str, fixes: &[u8], parts: &[u32]) -> Result<Vec<u8>, JsValue> {
    let format = ExportFormat::named(format).ok_or_else(|| JsValue::from_str("there is no such format"))?;
    let fixes: Vec<Fix> = packed::unpack(fixes).collect();
    Ok(write::write(format, title, &split(&fixes, parts)))
}

/// Writes a `Destination` as GPX.
///
/// # Errors
/// If the value cannot be converted, or a position is not on the globe.
#[wasm_bindgen(js_name = writeDestination)]
pub fn write_destination(value: JsValue) -> Result<Vec<u8>, JsValue> {
    let value: Destination = serde_wasm_bindgen::from_value(value)?;
    Ok(destination::write(&value).map_err(js_error)?.into_bytes())
}

/// Reports panics on the console; without it they are a bare `unreachable`.
#[wasm_bindgen(start)]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| console_error(&info.to_string())));
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(message: &str);
}
