//! A deserializer without input: makes up a value of any type, so that reading gets past one that is wrong.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::de::{Error, KeyReader, Kind};

/// The deepest structure that a stand-in makes up.
const STAND_IN_DEPTH_MAX: usize = 8;

/// Fits almost any type: `1`, `"0"` (which all units can read), an empty list, a struct of stand-ins.
#[derive(Clone, Copy)]
pub(super) struct StandIn {
    depth: usize,
}

impl StandIn {
    /// For a value that stands in the file, or must stand there.
    pub(super) const OUTERMOST: Self = Self { depth: 0 };

    fn deeper(self) -> Result<Self, Error> {
        if self.depth == STAND_IN_DEPTH_MAX {
            return Err(Error::new(Kind::Message("no stand-in".to_owned())));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

macro_rules! made_up {
    ($($method:ident => $visit:ident($($value:expr)?);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($($value)?)
        })*
    };
}

impl<'de> Deserializer<'de> for StandIn {
    type Error = Error;

    made_up! {
        deserialize_any => visit_str("0");
        deserialize_ignored_any => visit_unit();
        deserialize_unit => visit_unit();
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i64(1);
        deserialize_i16 => visit_i64(1);
        deserialize_i32 => visit_i64(1);
        deserialize_i64 => visit_i64(1);
        deserialize_u8 => visit_u64(1);
        deserialize_u16 => visit_u64(1);
        deserialize_u32 => visit_u64(1);
        deserialize_u64 => visit_u64(1);
        deserialize_f32 => visit_f64(1.0);
        deserialize_f64 => visit_f64(1.0);
        deserialize_char => visit_char('0');
        deserialize_str => visit_str("0");
        deserialize_string => visit_str("0");
        deserialize_identifier => visit_str("0");
        deserialize_bytes => visit_bytes(b"0");
        deserialize_byte_buf => visit_bytes(b"0");
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.depth == 0 { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(StandIns { stand_in: self.deeper()?, left: 0, fields: [].iter(), key: "" })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(StandIns { stand_in: self.deeper()?, left: len, fields: [].iter(), key: "" })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(StandIns { stand_in: self.deeper()?, left: 0, fields: fields.iter(), key: "" })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let key = variants.first().copied().unwrap_or_default();
        visitor.visit_enum(StandIns { stand_in: self.deeper()?, left: 0, fields: [].iter(), key })
    }
}

/// A collection of stand-ins: `left` items, or one value for each field, or the variant `key`.
struct StandIns {
    stand_in: StandIn,
    left: usize,
    fields: std::slice::Iter<'static, &'static str>,
    key: &'static str,
}

impl<'de> SeqAccess<'de> for StandIns {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return Ok(None),
        }
        seed.deserialize(self.stand_in).map(Some)
    }
}

impl<'de> MapAccess<'de> for StandIns {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.fields.next().map(|field| seed.deserialize(KeyReader(field))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.stand_in)
    }
}

impl<'de> EnumAccess<'de> for StandIns {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(KeyReader(self.key))?, self))
    }
}

impl<'de> VariantAccess<'de> for StandIns {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.stand_in)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.stand_in.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.stand_in.deserialize_struct("", fields, visitor)
    }
}
