//! The Rust in the guide (`harness/book`) and in the README, compiled by the doctests of this crate. What a chapter includes from
//! `harness/examples` is compiled there: *Your own world* has nothing else.

#![allow(
    rustdoc::invalid_codeblock_attributes,
    reason = "`file=NAME` and the like are for the test of the guide"
)]

/// In your own tests.
#[doc = include_str!("../book/src/own-tests.md")]
pub struct OwnTests;

/// The lint.
#[doc = include_str!("../book/src/lint.md")]
pub struct Lint;

/// What the project leads with.
#[doc = include_str!("../../README.md")]
pub struct Readme;
