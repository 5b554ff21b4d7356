//! Stamps beside the number of the current session.

use gateway_lifecycle::Generations;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wakes::config;

#[derive(Debug, Clone, Copy)]
enum Do {
    Open,
    Close,
    Store(usize),
}

fn operation() -> impl Strategy<Value = Do> {
    prop_oneof![3 => Just(Do::Open), 1 => Just(Do::Close), 8 => any::<usize>().prop_map(Do::Store)]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn only_the_stamp_of_the_current_session_stores(operations in vec(operation(), 0..60)) {
        let generations = Generations::new();
        let (mut stamps, mut current) = (Vec::new(), None);
        for operation in operations {
            match operation {
                Do::Open => {
                    stamps.push(generations.open());
                    current = Some(stamps.len() as u64);
                }
                Do::Close => {
                    generations.close();
                    current = None;
                }
                Do::Store(which) if !stamps.is_empty() => {
                    let stamp = &stamps[which % stamps.len()];
                    let stored = stamp.clone().while_current(|| stamp.number());
                    prop_assert_eq!(stored, current.filter(|current| *current == stamp.number()));
                    prop_assert_eq!(stamp.is_current(), stored.is_some());
                }
                Do::Store(_) => {}
            }
            prop_assert_eq!(generations.opened(), stamps.len() as u64);
        }
    }
}

#[test]
fn a_panic_while_current_leaves_the_session_as_it_was() {
    let generations = Generations::new();
    let stamp = generations.open();
    let panicking = std::panic::AssertUnwindSafe(|| stamp.while_current(|| panic!("on purpose")));
    assert!(std::panic::catch_unwind(panicking).is_err());
    assert_eq!(stamp.while_current(|| 1), Some(1));
    generations.open();
    assert_eq!(stamp.while_current(|| 1), None);
}
