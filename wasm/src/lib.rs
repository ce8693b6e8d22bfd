//! The binding of the core for JavaScript: it converts arguments and results, and decides nothing.
//!
//! Values are plain objects of the types in `pwa-shim/src/generated/types.ts`: bytes as `Uint8Array`, integers as
//! `number`, absent values as `null`. A value that cannot be converted, and an invalid argument of the constructor,
//! throws an `Error` with a `code`. A panic is reported on the console and ends the instance: every later call throws.

mod read;

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_wasm_bindgen::Serializer;
use tourismo_core::docs::Invalid;
use tourismo_core::replica::{OpenError, Replica};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// A replica.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    replica: Replica,
}

#[wasm_bindgen]
impl Core {
    /// Opens a replica.
    ///
    /// # Errors
    /// `not_convertible`, or a code of [`OpenError`].
    #[wasm_bindgen(constructor)]
    pub fn new(opening: JsValue) -> Result<Core, JsValue> {
        let opening = from_js(opening)?;
        let failed = |error: OpenError| js_error(error.code(), &error.to_string());
        Ok(Core { replica: Replica::open(&opening).map_err(failed)? })
    }

    /// Handles an input; returns the effects in order.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn handle(&mut self, now: JsValue, input: JsValue) -> Result<JsValue, JsValue> {
        let (now, input) = (from_js(now)?, from_js(input)?);
        to_js(&self.replica.handle(now, input))
    }

    /// Returns the drive that is being recorded, or `null`.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn recording(&self, now: JsValue) -> Result<JsValue, JsValue> {
        to_js(&self.replica.recording_view(from_js(now)?))
    }

    /// Returns all drives, newest first.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn drives(&self) -> Result<JsValue, JsValue> {
        to_js(&self.replica.drives())
    }

    /// Finds drives, and sums them up.
    ///
    /// # Errors
    /// `not_convertible`, or `invalid` with the field and what it may be.
    #[wasm_bindgen(js_name = findDrives)]
    pub fn find_drives(&self, query: JsValue) -> Result<JsValue, JsValue> {
        let invalid = |error: Invalid| js_error("invalid", &error.to_string());
        to_js(&self.replica.find_drives(&from_js(query)?).map_err(invalid)?)
    }

    /// Returns all cars, the newest first.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn cars(&self) -> Result<JsValue, JsValue> {
        to_js(&self.replica.cars())
    }

    /// Returns the account's statements about accounts, drives and meets.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn social(&self) -> Result<JsValue, JsValue> {
        to_js(&self.replica.social())
    }

    /// Returns the account's meets, the latest first.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn meets(&self) -> Result<JsValue, JsValue> {
        to_js(&self.replica.meets())
    }

    /// Returns the track of the opened drive, or `null`.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn track(&self) -> Result<JsValue, JsValue> {
        to_js(&self.replica.track())
    }

    /// Returns the account on this phone.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn account(&self) -> Result<JsValue, JsValue> {
        to_js(&self.replica.account())
    }

    /// The keys of the account.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn members(&self, now: JsValue) -> Result<JsValue, JsValue> {
        to_js(&self.replica.members(from_js(now)?))
    }

    /// Returns the state of storage and sync.
    ///
    /// # Errors
    /// `not_convertible`
    pub fn status(&self) -> Result<JsValue, JsValue> {
        to_js(&self.replica.status())
    }
}

/// Reports panics on the console; otherwise they are a bare `unreachable`.
#[wasm_bindgen(start)]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| console_error(&info.to_string())));
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(message: &str);

    /// JavaScript's `Error`.
    type Error;

    #[wasm_bindgen(constructor)]
    fn new(message: &str) -> Error;

    #[wasm_bindgen(method, setter)]
    fn set_code(this: &Error, code: &str);
}

fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, JsValue> {
    read::read(value).map_err(not_convertible)
}

fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    const SHAPES: Serializer = Serializer::json_compatible().serialize_bytes_as_arrays(false);
    value.serialize(&SHAPES).map_err(not_convertible)
}

fn not_convertible(error: impl Display) -> JsValue {
    js_error("not_convertible", &error.to_string())
}

fn js_error(code: &str, message: &str) -> JsValue {
    let error = Error::new(message);
    error.set_code(code);
    error.into()
}
