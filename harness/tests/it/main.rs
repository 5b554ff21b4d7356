//! Tests of the library through its public API, one module per subject.

mod scenario;
