//! How findings are told, one format a file.

pub mod github;
pub mod human;
pub mod json;
pub mod sarif;
