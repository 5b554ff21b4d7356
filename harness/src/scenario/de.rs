//! Tree to types, by serde: every error knows its key or value, and what could not be read can be stood in for.
//!
//! Serde stops at the first error. So that all errors of a file come out in one go, the caller notes each in a
//! [`Recovery`] and reads again: a value in it is replaced by a stand-in that fits any type, a key is passed over or put in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::suggest::closest;
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
    fn new(kind: Kind) -> Self {
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

/// What earlier readings found wrong, so that the next one gets past it.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Values that are stood in for.
    holes: BTreeSet<Id>,
    /// Keys that are passed over, with their values.
    dropped: BTreeSet<Id>,
    /// Keys that a map lacks; their values are stood in for.
    absent: BTreeMap<Id, BTreeSet<&'static str>>,
}

impl Recovery {
    /// Makes the next reading get past an error; `false` when the reading cannot get past it.
    ///
    /// An error within a stand-in is no news to report; then whatever holds the stand-in is stood in for.
    pub(super) fn get_past(&mut self, root: &Node, place: Place, kind: &Kind) -> Step {
        let is_new = match (place, kind) {
            // That nothing is there may follow from a key that was not understood.
            (Place::Value(map), Kind::Message(_))
                if self.dropped_from(root, map) && self.holes.insert(map) =>
            {
                return Step::Silent;
            }
            (Place::Value(map), Kind::MissingKey(key))
                if self.meant(root, map, key) && self.absent.entry(map).or_default().insert(key) =>
            {
                return Step::Silent;
            }
            (Place::Value(map), Kind::MissingKey(key)) => {
                !self.holes.contains(&map) && self.absent.entry(map).or_default().insert(key)
            }
            (Place::Key(key), _) => self.dropped.insert(key),
            (Place::Value(value), _) | (Place::Variant(value, _), _) => self.holes.insert(value),
            (Place::Absent(..), _) => false,
        };
        if is_new {
            return Step::Report;
        }
        let holder = match place {
            Place::Absent(map, _) => Some(map),
            Place::Value(id) | Place::Key(id) | Place::Variant(id, _) => {
                root.parent_of(id).map(|holder| holder.id)
            }
        };
        match holder {
            Some(holder) => {
                // The holder may be a hole already; then its own holder is next.
                self.holes.insert(holder);
                Step::Silent
            }
            None => Step::GiveUp,
        }
    }

    /// The keys of the map that were not understood.
    fn dropped_keys<'n>(&'n self, root: &'n Node, map: Id) -> impl Iterator<Item = &'n str> {
        let entries = root.find(map).map_or(&[][..], Node::entries);
        let dropped = entries.iter().filter(|entry| self.dropped.contains(&entry.key.id));
        dropped.map(|entry| entry.key.text.as_str())
    }

    fn dropped_from(&self, root: &Node, map: Id) -> bool {
        self.dropped_keys(root, map).next().is_some()
    }

    /// Whether one of the keys that were not understood was probably meant to be `key`.
    fn meant(&self, root: &Node, map: Id, key: &'static str) -> bool {
        self.dropped_keys(root, map).any(|dropped| closest(dropped, &[key]).is_some())
    }

    /// Whether anything was wrong already.
    pub(super) fn knows_any(&self) -> bool {
        !(self.holes.is_empty() && self.dropped.is_empty() && self.absent.is_empty())
    }

    /// Whether a value on the way `along` is a stand-in, so that nothing can be said about what is in it.
    pub(super) fn hides(&self, along: &[&Node]) -> bool {
        along.iter().any(|node| self.holes.contains(&node.id))
    }

    /// Whether the map lacks the key and the lack has been reported.
    pub(super) fn lacks(&self, map: &Node, key: &str) -> bool {
        self.absent.get(&map.id).is_some_and(|keys| keys.contains(key))
    }
}

/// What to do with an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Report it and read again.
    Report,
    /// It follows from a reported one: read again.
    Silent,
    /// It follows from a reported one, and there is nothing left to read.
    GiveUp,
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
        self.recovery.holes.contains(&self.node.id).then_some(StandIn { depth: 0 })
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
        seed.deserialize(StandIn { depth: 0 }).map_err(|error| error.at(place))
    }
}

/// A key of a map: text, or an enum's name.
struct KeyReader<'a>(&'a str);

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

/// The deepest structure that a stand-in makes up.
const STAND_IN_DEPTH_MAX: usize = 8;

/// Fits almost any type: `1`, `"0"` (which all units can read), an empty list, a struct of stand-ins.
#[derive(Clone, Copy)]
struct StandIn {
    depth: usize,
}

impl StandIn {
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
