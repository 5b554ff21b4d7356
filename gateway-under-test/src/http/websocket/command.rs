//! A command over a WebSocket: one JSON message in, one out.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::refusal::Refusal;
use crate::shared::Shared;
use crate::station::command;

/// What a peer asks for.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The peer's own number for it; its answer has the same.
    pub id: u64,
    station: String,
    tag: String,
    value: Value,
}

/// Reads a message; what is no command is answered with the returned text.
pub fn parse(message: &[u8]) -> Result<Wanted, String> {
    serde_json::from_slice(message).map_err(|error| {
        let why = format!(r#"expected {{"id":1,"station":"..","tag":"..","value":..}}: {error}"#);
        refused(None, &why)
    })
}

/// Carries a command out, and says what became of it.
pub async fn carry_out(shared: &Shared, wanted: Wanted) -> String {
    let Wanted { id, station, tag, value } = wanted;
    match command::write(shared, &station, &tag, &value).await {
        Ok(()) => json!({ "id": id, "ok": true }).to_string(),
        Err(error) => {
            let may = Refusal::of_command(&error).may_have_been_written;
            json!({ "id": id, "ok": false, "error": error.to_string(), "may_have_been_written": may })
                .to_string()
        }
    }
}

/// The answer to a command that is not begun.
pub fn refused(id: Option<u64>, why: &str) -> String {
    json!({ "id": id, "ok": false, "error": why }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_command_is_said_with_an_example() {
        let said = parse(br#"{"id":1}"#).expect_err("half a command");
        assert!(said.contains("missing field `station`") && said.contains(r#""id":null"#), "{said}");
        assert!(parse(b"hello").is_err());
    }
}
