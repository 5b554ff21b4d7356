//! Lines that spawn tasks, by number: small enough to stand beside a tenant in every site of the heap.

use std::panic::Location;
use std::sync::OnceLock;

use crate::frames;

/// Spawning lines that can be told apart; tasks of further ones are nobody's when their heap is counted.
pub(crate) const PLACES_MAX: usize = 1 << 12;

/// `path/file.rs:line` of the spawn that a number stands for; `None`: it stands for no task.
pub fn spawned_at(number: u16) -> Option<String> {
    let place = PLACES.get(usize::from(number))?.get()?;
    Some(format!("{}:{}", frames::short_path(place.file()), place.line()))
}

/// The number of a spawning line, from 1 on; 0: there are too many. Neither allocates nor locks.
#[cfg(tokio_unstable)]
pub(super) fn number(place: &'static Location<'static>) -> u16 {
    let start = std::ptr::from_ref(place).addr() / align_of::<Location<'_>>();
    let same = |known: &'static Location<'static>| std::ptr::eq(known, place);
    for step in 0..PLACES_MAX {
        // Numbers fit in 12 bits; 0 stands for none.
        let number = start.wrapping_add(step) % PLACES_MAX;
        if number != 0 && same(PLACES[number].get_or_init(|| place)) {
            return number as u16;
        }
    }
    0
}

static PLACES: [OnceLock<&'static Location<'static>>; PLACES_MAX] = [const { OnceLock::new() }; PLACES_MAX];

#[cfg(all(test, tokio_unstable))]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_number_and_gives_its_name_back() {
        let here = || Location::caller();
        let (one, other) = (here(), Location::caller());
        assert_eq!(number(one), number(one));
        assert_ne!(number(one), number(other));
        let expected = format!("{}:{}", frames::short_path(other.file()), other.line());
        assert_eq!(spawned_at(number(other)), Some(expected));
        assert_eq!(spawned_at(0), None);
    }
}
