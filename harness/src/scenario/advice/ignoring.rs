//! Entries of `ignore:` that hide anything, or nothing any more.

use super::{Look, Remark};
use crate::scenario::Ignore;
use crate::units::Day;
use crate::world::World;

/// A part of a site shorter than this stands in most sites.
const SITE_LETTERS_MIN: usize = 4;

/// Parts that stand in every site, or in half of them.
const EVERYWHERE: [&str; 7] = ["src", "src/", ".rs", "lib.rs", "main.rs", "mod.rs", "tokio"];

pub(super) fn remarks<W: World>(look: Look<'_, W>, today: Day) -> Vec<Remark> {
    let items = look.root.entry("ignore").map_or(&[][..], |entry| entry.value.items());
    let mut remarks = Vec::new();
    for (entry, node) in look.scenario.ignore.iter().zip(items) {
        let at = |key: &str| node.entry(key).map_or(&node.at, |entry| &entry.value.at).clone();
        if !entry.holds_on(today) {
            let message = format!("`ignore` of {entry} expired on {}", entry.expires);
            let help = "remove it, or let its owner say again why it may stay, and until when";
            remarks.push(Remark::new("ignore-that-expired", at("expires"), message, help));
        } else if let Some((key, message)) = hides_anything(entry) {
            let help = "name the site that the report prints, `site: session.rs`, or its `fingerprint`";
            remarks.push(Remark::new("ignore-that-hides-anything", at(key), message, help));
        }
    }
    remarks
}

fn hides_anything(entry: &Ignore) -> Option<(&'static str, String)> {
    if let Some(resource) = entry.whole_resource() {
        return Some(("resource", format!("`ignore` covers every leak of {resource}, whatever its site")));
    }
    let site = entry.site.as_deref().filter(|_| entry.fingerprint.is_none())?;
    let is_everywhere = EVERYWHERE.contains(&site) || site.chars().count() < SITE_LETTERS_MIN;
    is_everywhere.then(|| ("site", format!("`{site}` is a part of most sites")))
}
