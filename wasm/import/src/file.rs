//! A file of JavaScript as a reader.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::{Function, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

/// So many bytes are read at once.
const CHUNK_BYTES: u64 = 512 << 10;

/// A file that a function reads, synchronously.
pub(crate) struct JsFile {
    length: u64,
    read: Function,
    place: u64,
    /// The bytes from some place on that were read last.
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl JsFile {
    pub(crate) fn new(length: u64, read: Function) -> JsFile {
        JsFile { length, read, place: 0, chunk: Vec::new(), chunk_at: 0 }
    }

    /// The bytes of the chunk from the place on.
    fn ahead(&self) -> &[u8] {
        let from = self.place.checked_sub(self.chunk_at).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.chunk.get(from..)).unwrap_or_default()
    }

    fn read_chunk(&mut self) -> io::Result<()> {
        let count = CHUNK_BYTES.min(self.length - self.place);
        let place = JsValue::from_f64(self.place as f64);
        let bytes = self.read.call2(&JsValue::NULL, &place, &JsValue::from_f64(count as f64)).map_err(failed)?;
        self.chunk = bytes.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default();
        self.chunk_at = self.place;
        if self.chunk.is_empty() { Err(io::Error::other("the file became shorter")) } else { Ok(()) }
    }
}

fn failed(thrown: JsValue) -> io::Error {
    io::Error::other(thrown.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_default())
}

impl Read for JsFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.place >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            self.read_chunk()?;
        }
        let ahead = self.ahead();
        let count = ahead.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ahead[..count]);
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for JsFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.place.checked_add_signed(by),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}
