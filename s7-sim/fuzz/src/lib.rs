//! What is fuzzed: one plain function a target, bytes in, and a panic when a promise is broken.
//!
//! libFuzzer calls these functions from `fuzz_targets/`; the tests of `s7-sim` include this file by its path, and call the same ones
//! with the corpus and with what proptest makes of it. So a finding is a test as soon as its bytes lie in the corpus.

mod decoders;
mod session;
mod values;

pub use decoders::{answer, cotp, items, job, pdu, stream, tpkt, userdata};
pub use session::session;
pub use values::{addresses, values};

/// One target.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its folder in the corpus.
pub const TARGETS: [(&str, Target); 11] = [
    ("tpkt", tpkt),
    ("cotp", cotp),
    ("stream", stream),
    ("pdu", pdu),
    ("job", job),
    ("answer", answer),
    ("items", items),
    ("userdata", userdata),
    ("values", values),
    ("addresses", addresses),
    ("session", session),
];
