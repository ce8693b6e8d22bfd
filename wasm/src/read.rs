//! Converts values of JavaScript to Rust, for the types in `pwa-shim/src/generated/types.ts`.
//!
//! An enum is an object whose `type` names the variant and which holds the variant's fields, or a string if no variant
//! has fields. serde can read such objects by itself (`tag = "type"`), but it buffers each value before it knows its
//! type and reads it a second time, which takes a tenth of the whole module. This module reads JavaScript's objects in
//! place.

use std::fmt;

use js_sys::{Array, Reflect, Uint8Array};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use wasm_bindgen::{JsCast, JsValue};

/// A value of another type than the expected one.
#[derive(Debug)]
pub(crate) struct Mismatch(String);

/// Converts a value.
///
/// # Errors
/// [`Mismatch`] if the value, or anything in it, has another type.
pub(crate) fn read<T: de::DeserializeOwned>(value: JsValue) -> Result<T, Mismatch> {
    T::deserialize(Source(value))
}

/// A JavaScript value as a source for serde.
struct Source(JsValue);

impl Source {
    /// Returns a property, unless it is absent or `undefined`.
    fn get(&self, name: &str) -> Option<Source> {
        let value = Reflect::get(&self.0, &JsValue::from_str(name)).ok()?;
        (!value.is_undefined()).then_some(Source(value))
    }

    fn mismatch(&self, wanted: &str) -> Mismatch {
        let kind = self.0.js_typeof().as_string().unwrap_or_default();
        Mismatch(format!("expected {wanted}, found a value of type {kind}"))
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
        match self.0.as_f64() {
            // The cast is exact in this range, and serde checks the range of the target type.
            Some(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE => visitor.visit_i64(number as i64),
            Some(_) | None => Err(self.mismatch("an integer")),
        }
    }
}

impl<'de> de::Deserializer<'de> for Source {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mismatch> {
        Err(self.mismatch("a type that crosses the border"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.0.as_bool().ok_or_else(|| self.mismatch("a boolean")).and_then(|value| visitor.visit_bool(value))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.0.as_f64().ok_or_else(|| self.mismatch("a number")).and_then(|value| visitor.visit_f64(value))
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.integer(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.0.as_string().ok_or_else(|| self.mismatch("a string")).and_then(|value| visitor.visit_string(value))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_string(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.dyn_ref::<Uint8Array>() {
            Some(bytes) => visitor.visit_byte_buf(bytes.to_vec()),
            None => Err(self.mismatch("a Uint8Array")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() || self.0.is_undefined() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.dyn_ref::<Array>() {
            Some(items) => visitor.visit_seq(Items { items: items.clone(), next: 0 }),
            None => Err(self.mismatch("an array")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if !self.0.is_object() {
            return Err(self.mismatch("an object"));
        }
        visitor.visit_map(Fields { object: self, names: fields.iter(), value: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let variant = self.0.as_string().or_else(|| self.get("type")?.0.as_string());
        match variant {
            Some(variant) => visitor.visit_enum(Variant { name: variant, object: self }),
            None => Err(self.mismatch("a string, or an object with a `type`")),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 char unit unit_struct tuple_struct map identifier ignored_any
    }
}

/// The items of an array.
struct Items {
    items: Array,
    next: u32,
}

impl<'de> de::SeqAccess<'de> for Items {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        if self.next >= self.items.length() {
            return Ok(None);
        }
        let item = self.items.get(self.next);
        self.next += 1;
        seed.deserialize(Source(item)).map(Some)
    }
}

/// The fields of a struct or variant that an object has. Other fields are ignored.
struct Fields {
    object: Source,
    names: std::slice::Iter<'static, &'static str>,
    value: Option<Source>,
}

impl<'de> de::MapAccess<'de> for Fields {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        for name in self.names.by_ref() {
            if let Some(value) = self.object.get(name) {
                self.value = Some(value);
                return seed.deserialize((*name).into_deserializer()).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        seed.deserialize(self.value.take().expect("serde asks for a value after each key, once"))
    }
}

/// The variant of an enum, and the object that holds its fields.
struct Variant {
    name: String,
    object: Source,
}

impl<'de> de::EnumAccess<'de> for Variant {
    type Error = Mismatch;
    type Variant = Source;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Source), Mismatch> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self.object))
    }
}

impl<'de> de::VariantAccess<'de> for Source {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Mismatch> {
        Err(self.mismatch("a variant with named fields"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(message: T) -> Mismatch {
        Mismatch(message.to_string())
    }
}
