//! A small key-value server, as somebody might have it in production. It knows nothing of Watertight: see `main.rs` for what does.

pub mod kv;
pub mod leak;
