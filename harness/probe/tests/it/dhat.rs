//! dhat as the second witness, in the same binary.

use watertight_probe::heap::{self, Mode};
use watertight_probe::plant;

use crate::case::cases;

cases![
    dhat_sees_the_same_plant_and_writes_its_profile["WATERTIGHT_HEAP" = "dhat"],
    dhat_is_not_started_unasked,
];

fn dhat_sees_the_same_plant_and_writes_its_profile() {
    let path = std::env::temp_dir().join(format!("watertight-probe-dhat-{}.json", std::process::id()));
    assert_eq!((heap::mode(), heap::live()), (Mode::Dhat, None));
    assert!(heap::start_dhat(&path));
    let before = heap::live().expect("it runs");
    plant::heap(1000);
    let after = heap::live().expect("it runs");
    assert_eq!((after.bytes - before.bytes, after.blocks - before.blocks), (1000, 1));
    assert!(heap::finish_dhat() && !heap::finish_dhat());
    let profile = std::fs::read_to_string(&path).expect("the profile is written");
    std::fs::remove_file(&path).expect("it is ours");
    assert!(profile.contains("plant.rs"), "{profile}");
}

fn dhat_is_not_started_unasked() {
    assert!(!heap::start_dhat(std::path::Path::new("/dev/null")));
    assert_eq!(heap::mode(), Mode::Sites);
}
