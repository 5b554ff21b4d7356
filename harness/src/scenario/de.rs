//! Tree to types, by serde: every error knows its key or value, and what could not be read can be stood in for.
//!
//! Serde stops at the first error. So that all errors of a file come out in one go, the caller notes each in a
//! [`Recovery`] and reads again: a value in it is replaced by a stand-in that fits any type, a key is passed over or put in.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::recovery::Recovery;
use super::stand_in::StandIn;
use super::tree::{Entry, Id, Node, Plain, Scalar, Value};

/// Where an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A value.
    Value(Id),
    /// A key of a map.
    Key(Id),
    /// The key that names the variant of an enum, in the map with the first number.
    Variant(Id, Id),
    /// The stand-in for a key that the map lacks.
    Absent(Id, &'static str),
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Message(String),
    /// The value has another type, or a number is out of its type's range.
    Type {
        expected: String,
    },
    UnknownKey {
        found: String,
        allowed: &'static [&'static str],
    },
    UnknownVariant {
        found: String,
        allowed: &'static [&'static str],
    },
    MissingKey(&'static str),
    /// A map with these keys is expected, and there is something else.
    NotAMap(&'static [&'static str]),
    /// A single-key map has none or several keys, or is no map.
    OneKey {
        keys: usize,
        allowed: &'static [&'static str],
    },
    /// The variant of this name stands alone and needs settings.
    NeedsSettings(String),
}

/// An error and its place, once known.
#[derive(Debug)]
pub(super) struct Error(Box<(Option<Place>, Kind)>);

impl Error {
    pub(super) fn new(kind: Kind) -> Self {
        Self(Box::new((None, kind)))
    }

    /// Sets the place unless an inner one is known.
    fn at(mut self, place: Place) -> Self {
        self.0.0.get_or_insert(place);
        self
    }

    pub(super) fn into_parts(self) -> (Option<Place>, Kind) {
        *self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.1)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Message(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::Type { expected: expected.to_string() })
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Kind::Type { expected: expected.to_string() })
    }

    fn unknown_variant(found: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownVariant { found: found.to_owned(), allowed })
    }

    fn unknown_field(found: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { found: found.to_owned(), allowed })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::MissingKey(field))
    }
}

/// Reads `node` into a `T`, past what `recovery` knows.
pub(super) fn from_node<'de, T: de::Deserialize<'de>>(
    node: &'de Node,
    recovery: &'de Recovery,
) -> Result<T, Error> {
    T::deserialize(Reader { node, recovery }).map_err(|error| error.at(Place::Value(node.id)))
}

#[derive(Clone, Copy)]
struct Reader<'de> {
    node: &'de Node,
    recovery: &'de Recovery,
}

impl<'de> Reader<'de> {
    fn below(self, node: &'de Node) -> Self {
        Self { node, recovery: self.recovery }
    }

    fn stand_in(self) -> Option<StandIn> {
        self.recovery.holes.contains(&self.node.id).then_some(StandIn::OUTERMOST)
    }

    fn map(self, entries: &'de [Entry]) -> Entries<'de> {
        let absent = self.recovery.absent.get(&self.node.id);
        let absent = absent.into_iter().flatten().copied().collect::<Vec<_>>();
        Entries { reader: self, entries: entries.iter(), value: None, absent }
    }

    fn any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(self.map(entries)),
            Value::List(items) => visitor.visit_seq(Items { reader: self, items: items.iter() }),
            Value::Scalar(scalar) => match scalar.resolve() {
                Plain::Null => visitor.visit_unit(),
                Plain::Bool(value) => visitor.visit_bool(value),
                Plain::Unsigned(value) => visitor.visit_u64(value),
                Plain::Signed(value) => visitor.visit_i64(value),
                Plain::Float(value) => visitor.visit_f64(value),
                Plain::Text(text) => visitor.visit_str(text),
            },
        }
    }

    fn text(self) -> Option<&'de str> {
        match &self.node.value {
            Value::Scalar(scalar) if scalar.resolve() != Plain::Null => Some(&scalar.text),
            _ => None,
        }
    }
}

macro_rules! stood_in_for {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.stand_in() {
                Some(stand_in) => stand_in.$method(visitor),
                None => self.any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Error;

    stood_in_for! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self.stand_in(), self.text()) {
            (Some(stand_in), _) => stand_in.deserialize_str(visitor),
            (None, Some(text)) => visitor.visit_borrowed_str(text),
            (None, None) => self.any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            _ if self.stand_in().is_some() => visitor.visit_some(self),
            Value::Scalar(scalar) if scalar.resolve() == Plain::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
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
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_struct(name, fields, visitor);
        }
        match &self.node.value {
            // `key:` with nothing behind it: the keys that must be there are named one by one.
            Value::Scalar(scalar) if scalar.resolve() == Plain::Null => visitor.visit_map(self.map(&[])),
            Value::Map(_) => self.any(visitor),
            _ => Err(Error::new(Kind::NotAMap(fields))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_enum(name, variants, visitor);
        }
        match &self.node.value {
            Value::Map(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Variant { reader: self, entry }),
                entries => Err(Error::new(Kind::OneKey { keys: entries.len(), allowed: variants })),
            },
            Value::Scalar(Scalar { text, .. }) if self.text().is_some() => visitor.visit_enum(Bare(text)),
            _ => Err(Error::new(Kind::OneKey { keys: 0, allowed: variants })),
        }
    }
}

struct Items<'de> {
    reader: Reader<'de>,
    items: std::slice::Iter<'de, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(item) = self.items.next() else { return Ok(None) };
        seed.deserialize(self.reader.below(item)).map(Some).map_err(|error| error.at(Place::Value(item.id)))
    }
}

struct Entries<'de> {
    reader: Reader<'de>,
    entries: std::slice::Iter<'de, Entry>,
    value: Option<&'de Node>,
    absent: Vec<&'static str>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let dropped = &self.reader.recovery.dropped;
        if let Some(entry) = self.entries.by_ref().find(|entry| !dropped.contains(&entry.key.id)) {
            self.value = Some(&entry.value);
            let key = seed.deserialize(KeyReader(&entry.key.text));
            return key.map(Some).map_err(|error| error.at(Place::Key(entry.key.id)));
        }
        self.value = None;
        self.absent.last().map(|key| seed.deserialize(KeyReader(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        if let Some(node) = self.value {
            return seed
                .deserialize(self.reader.below(node))
                .map_err(|error| error.at(Place::Value(node.id)));
        }
        let key = self.absent.pop().unwrap_or_default();
        let place = Place::Absent(self.reader.node.id, key);
        seed.deserialize(StandIn::OUTERMOST).map_err(|error| error.at(place))
    }
}

/// A key of a map: text, or an enum's name.
pub(super) struct KeyReader<'a>(pub &'a str);

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name: StrDeserializer<'_, Error> = self.0.into_deserializer();
        visitor.visit_enum(name)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant with its settings: `flap: { link: plc }`.
struct Variant<'de> {
    reader: Reader<'de>,
    entry: &'de Entry,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let place = Place::Variant(self.reader.node.id, self.entry.key.id);
        let variant = seed.deserialize(KeyReader(&self.entry.key.text)).map_err(|error| error.at(place))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.newtype_variant_seed(std::marker::PhantomData)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let place = Place::Value(self.entry.value.id);
        seed.deserialize(self.reader.below(&self.entry.value)).map_err(|error| error.at(place))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let place = Place::Value(self.entry.value.id);
        self.reader.below(&self.entry.value).deserialize_seq(visitor).map_err(|error| error.at(place))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let place = Place::Value(self.entry.value.id);
        let reader = self.reader.below(&self.entry.value);
        reader.deserialize_struct("", fields, visitor).map_err(|error| error.at(place))
    }
}

/// A variant that is a word alone: `reset`.
struct Bare<'de>(&'de str);

impl<'de> EnumAccess<'de> for Bare<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(KeyReader(self.0))?, self))
    }
}

impl<'de> VariantAccess<'de> for Bare<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(Error::new(Kind::NeedsSettings(self.0.to_owned())))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::new(Kind::NeedsSettings(self.0.to_owned())))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        Err(Error::new(Kind::NeedsSettings(self.0.to_owned())))
    }
}
