//! The binding of the importer for JavaScript. It converts values and decides nothing.
//!
//! Values cross as plain objects of the shapes in `pwa-shim/src/generated/types.ts`, as in the binding of the core. A panic is
//! reported on the console and ends the instance.

mod file;

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use tourismo_core::fix::{Fix, packed};
use tourismo_import::Import;
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

/// Writes a drive as a file: `fixes` and `parts` are those of a `CommandOutcome` of type `fixes`.
///
/// # Errors
/// An unknown format.
#[wasm_bindgen(js_name = writeDrive)]
pub fn write_drive(format: &str, title: &str, fixes: &[u8], parts: &[u32]) -> Result<Vec<u8>, JsValue> {
    let format = ExportFormat::named(format).ok_or_else(|| JsValue::from_str("there is no such format"))?;
    let fixes: Vec<Fix> = packed::unpack(fixes).collect();
    let mut rest = fixes.as_slice();
    let part = |count: &u32| {
        let (part, behind) = rest.split_at((*count as usize).min(rest.len()));
        rest = behind;
        part
    };
    let parts: Vec<&[Fix]> = parts.iter().map(part).collect();
    Ok(write::write(format, title, &parts))
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
