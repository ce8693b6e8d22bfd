//! A file of JavaScript as a reader.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::{Function, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

/// The number of bytes that are read at once.
const CHUNK_BYTES: u64 = 512 << 10;

/// A file that a function reads, synchronously.
pub(crate) struct JsFile {
    length: u64,
    read: Function,
    offset: u64,
    /// The bytes that were read last, and their offset in the file.
    chunk: Vec<u8>,
    chunk_offset: u64,
}

impl JsFile {
    pub(crate) fn new(length: u64, read: Function) -> JsFile {
        JsFile { length, read, offset: 0, chunk: Vec::new(), chunk_offset: 0 }
    }

    /// Returns the bytes of the chunk from the present offset on.
    fn ahead(&self) -> &[u8] {
        let from = self.offset.checked_sub(self.chunk_offset).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.chunk.get(from..)).unwrap_or_default()
    }

    fn read_chunk(&mut self) -> io::Result<()> {
        let count = CHUNK_BYTES.min(self.length - self.offset);
        let offset = JsValue::from_f64(self.offset as f64);
        let bytes = self.read.call2(&JsValue::NULL, &offset, &JsValue::from_f64(count as f64)).map_err(failed)?;
        self.chunk = bytes.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default();
        self.chunk_offset = self.offset;
        if self.chunk.is_empty() { Err(io::Error::other("the file became shorter")) } else { Ok(()) }
    }
}

fn failed(thrown: JsValue) -> io::Error {
    io::Error::other(thrown.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_default())
}

impl Read for JsFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            self.read_chunk()?;
        }
        let ahead = self.ahead();
        let count = ahead.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ahead[..count]);
        self.offset += count as u64;
        Ok(count)
    }
}

impl Seek for JsFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
        };
        self.offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}
