//! A scenario file as a tree in which every key and value knows where it was written.

use std::collections::BTreeMap;
use std::ops::Range;

/// Where a key or value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// In the file, at these bytes.
    File(Range<usize>),
    /// On the command line, by the override of this number.
    Override(usize),
}

/// The number of a key or value, unique within its tree.
pub(super) type Id = u32;

/// A value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub id: Id,
    pub at: At,
    pub value: Value,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// Text, and how it was written.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub text: String,
    /// Whether it stood without quotes, so that it may be a number, a truth value or nothing.
    pub plain: bool,
    /// The matrix variable it was put in for.
    pub variable: Option<String>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: Key,
    pub value: Node,
}

/// A key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub id: Id,
    pub at: At,
    pub text: String,
}

/// One step on the way from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Hands out the numbers of a tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Ids(Id);

impl Ids {
    pub(super) fn next(&mut self) -> Id {
        self.0 += 1;
        self.0
    }
}

/// The plain scalar of YAML's core schema.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Plain<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
}

impl Scalar {
    /// What the scalar means where any type may stand.
    pub(super) fn resolve(&self) -> Plain<'_> {
        if !self.plain {
            return Plain::Text(&self.text);
        }
        match self.text.as_str() {
            "" | "~" | "null" => return Plain::Null,
            "true" => return Plain::Bool(true),
            "false" => return Plain::Bool(false),
            _ => {}
        }
        if let Ok(number) = self.text.parse() {
            return Plain::Unsigned(number);
        }
        if let Ok(number) = self.text.parse() {
            return Plain::Signed(number);
        }
        // `inf`, `nan` and `infinity` parse as floats in Rust; in a scenario they are words.
        let numeric = self.text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
        match self.text.parse::<f64>() {
            Ok(number) if numeric && number.is_finite() => Plain::Float(number),
            _ => Plain::Text(&self.text),
        }
    }
}

impl Node {
    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The entry with this key.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key.text == key)
    }

    /// The value one step below.
    pub(super) fn child(&self, step: &Step) -> Option<&Self> {
        match step {
            Step::Key(key) => self.entry(key).map(|entry| &entry.value),
            Step::Index(index) => self.items().get(*index),
        }
    }

    /// The values on the way along `path`, root first, as far as it leads. A step into a newtype variant (`[0]` in a
    /// single-key map) goes to that map's value; a step that is not there is passed over.
    pub(super) fn along(&self, path: &[Step]) -> Vec<&Self> {
        let mut nodes = vec![self];
        for step in path {
            let node = nodes[nodes.len() - 1];
            match (node.child(step), step, node.entries()) {
                (Some(child), _, _) => nodes.push(child),
                (None, Step::Index(0), [only]) => nodes.push(&only.value),
                // The name of an enum's variant is not always a step of its own.
                (None, Step::Key(key), [only]) if only.value.entry(key).is_some() => {
                    nodes.push(&only.value);
                    nodes.extend(only.value.child(step));
                }
                _ => {}
            }
        }
        nodes
    }

    /// The value that directly holds the key or value `id`.
    pub(super) fn parent_of(&self, id: Id) -> Option<&Self> {
        let holds = self.items().iter().any(|item| item.id == id)
            || self.entries().iter().any(|entry| entry.key.id == id || entry.value.id == id);
        if holds {
            return Some(self);
        }
        self.children().find_map(|child| child.parent_of(id))
    }

    /// The value with this number; for a key's number, nothing.
    pub(super) fn find(&self, id: Id) -> Option<&Self> {
        if self.id == id { Some(self) } else { self.children().find_map(|child| child.find(id)) }
    }

    /// Items and values directly below.
    pub(super) fn children(&self) -> impl Iterator<Item = &Self> {
        self.items().iter().chain(self.entries().iter().map(|entry| &entry.value))
    }

    /// What stands here, in words: a scalar as written, or the kind of the collection.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Scalar(scalar) => match (scalar.resolve(), &scalar.variable) {
                (Plain::Null, None) => "nothing".to_owned(),
                (_, None) => format!("`{}`", scalar.text),
                (_, Some(variable)) => format!("`{}` (from `${variable}`)", scalar.text),
            },
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// Every scalar below, for changes in place.
    pub(super) fn each_scalar(&mut self, change: &mut impl FnMut(&At, &mut Scalar)) {
        match &mut self.value {
            Value::Scalar(scalar) => change(&self.at, scalar),
            Value::List(items) => items.iter_mut().for_each(|item| item.each_scalar(change)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| entry.value.each_scalar(change)),
        }
    }

    /// Where each key and value was written.
    pub(super) fn places(&self) -> BTreeMap<Id, At> {
        let mut places = BTreeMap::new();
        self.collect_places(&mut places);
        places
    }

    fn collect_places(&self, places: &mut BTreeMap<Id, At>) {
        places.insert(self.id, self.at.clone());
        for entry in self.entries() {
            places.insert(entry.key.id, entry.key.at.clone());
        }
        self.children().for_each(|child| child.collect_places(places));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), plain: true, variable: None }
    }

    #[test]
    fn plain_scalars_mean_what_yaml_1_2_says() {
        assert_eq!(plain("7").resolve(), Plain::Unsigned(7));
        assert_eq!(plain("-1234").resolve(), Plain::Signed(-1234));
        assert_eq!(plain("21.5").resolve(), Plain::Float(21.5));
        assert_eq!(plain("no").resolve(), Plain::Text("no"));
        assert_eq!(plain("infinity").resolve(), Plain::Text("infinity"));
        assert_eq!(plain("~").resolve(), Plain::Null);
        assert_eq!(Scalar { plain: false, ..plain("7") }.resolve(), Plain::Text("7"));
    }
}
