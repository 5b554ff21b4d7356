//! What is known to be wrong while a file is read again and again, and how to get past it.

use std::collections::{BTreeMap, BTreeSet};

use super::de::{Kind, Place};
use super::suggest::closest;
use super::tree::{Id, Node};

/// What earlier readings found wrong, so that the next one gets past it.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Values that are stood in for.
    pub(super) holes: BTreeSet<Id>,
    /// Keys that are passed over, with their values.
    pub(super) dropped: BTreeSet<Id>,
    /// Keys that a map lacks; their values are stood in for.
    pub(super) absent: BTreeMap<Id, BTreeSet<&'static str>>,
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
