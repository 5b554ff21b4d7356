//! A target's own figures in few bytes: the number of each name, and its value.

use std::collections::BTreeMap;

/// Names that are kept of one cycle: a target that makes up names as it goes must not fill the disk.
pub(super) const NAMES_MAX: usize = 200;

/// Bytes of a figure: 2 of the name's number, 8 of the value.
const ENTRY_BYTES: usize = 10;

/// Numbers and values, little-endian, one after the other.
pub(super) fn packed(figures: impl Iterator<Item = (u16, f64)>) -> Vec<u8> {
    figures.flat_map(|(name, value)| name.to_le_bytes().into_iter().chain(value.to_le_bytes())).collect()
}

/// What was packed; an entry that is cut short, or whose name is not known, is left out.
pub(super) fn unpacked(bytes: &[u8], names: &BTreeMap<u16, String>) -> BTreeMap<String, f64> {
    let entry = |entry: &[u8]| {
        let (name, value) = (entry.first_chunk::<2>()?, entry.last_chunk::<8>()?);
        let name = names.get(&u16::from_le_bytes(*name))?;
        Some((name.clone(), f64::from_le_bytes(*value)))
    };
    bytes.chunks_exact(ENTRY_BYTES).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_and_a_cut_entry_costs_itself_alone() {
        let names = BTreeMap::from([(1, "sessions".to_owned()), (300, "queue".to_owned())]);
        let bytes = packed([(1, 4.0), (300, -0.5), (7, 1.0)].into_iter());
        let whole = BTreeMap::from([("queue".to_owned(), -0.5), ("sessions".to_owned(), 4.0)]);
        assert_eq!(unpacked(&bytes, &names), whole);
        assert_eq!(unpacked(&bytes[..11], &names), BTreeMap::from([("sessions".to_owned(), 4.0)]));
    }
}
