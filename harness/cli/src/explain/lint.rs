//! The rules of the static pre-check, as topics of `explain`. Whoever adds rules adds them here, and nowhere else.

use watertight::glossary::Topic;

/// One topic a rule: its name, `a rule`, what it says, and wrong and right as the example.
pub(super) fn topics() -> Vec<Topic> {
    Vec::new()
}
