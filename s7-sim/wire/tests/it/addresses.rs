//! Addresses: whatever is written, it is an address that prints as itself, or an error.

use proptest::prelude::*;
use s7_wire::{Address, Region};

use crate::values::shape;

fn region() -> impl Strategy<Value = Region> {
    prop_oneof![
        (1..=u16::MAX).prop_map(Region::Block),
        (1..=u16::MAX).prop_map(Region::Instance),
        prop::sample::select(vec![
            Region::Merkers,
            Region::Inputs,
            Region::Outputs,
            Region::PeripheralInputs,
            Region::PeripheralOutputs,
            Region::Timers,
            Region::Counters,
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn addresses_survive_a_round_trip_over_their_text(
        region in region(), start in 0..=2_097_151_u32, bit in 0..=7_u8, shape in shape(),
    ) {
        let bit = if shape.bytes() == 1 { bit } else { 0 };
        if let Ok(address) = Address::new(region, start, bit, shape) {
            let printed = address.to_string();
            prop_assert_eq!(printed.parse(), Ok(address), "{}", printed);
            prop_assert_eq!(printed.to_lowercase().parse(), Ok(address));
            prop_assert_eq!(address.item().payload_bytes(), Some(shape.bytes()), "{}", printed);
        }
    }

    #[test]
    fn any_text_is_an_address_or_an_error_with_a_place_in_it(
        text in "%?(DB|DI|[PMIEQATCZ])?[0-9]{0,3}\\.?(DB|DI)?[XBWD]?[0-9]{0,6}(\\.[0-9])?(:[A-Z]{0,5}(\\[[0-9]{0,3}\\]?)?)?.{0,2}",
    ) {
        match text.parse::<Address>() {
            Ok(address) => prop_assert_eq!(address.to_string().parse(), Ok(address)),
            Err(error) => prop_assert!(error.at <= text.len(), "{}", error),
        }
    }
}
