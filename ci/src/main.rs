//! One program that people and pipelines both call.

fn main() {}
