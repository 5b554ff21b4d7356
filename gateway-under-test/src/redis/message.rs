//! The messages of the two command channels: what is asked, and what became of it. Pure.

use ::redis::{Cmd, cmd};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::station::command::Outcome;

/// A message longer than this is no command.
const COMMAND_BYTES_MAX: usize = 1024;
/// An id longer than this is none.
const ID_CHARS_MAX: usize = 64;

/// A write that somebody asks for: `{"id":"abc","station":"press","tag":"speed","value":5}`.
#[derive(Debug, PartialEq)]
pub struct Command {
    /// The asker's name for it; stands in the result.
    pub id: String,
    /// Where.
    pub station: String,
    /// What.
    pub tag: String,
    /// The new value.
    pub value: Value,
}

/// A message that is no command.
#[derive(Debug, PartialEq)]
pub struct NoCommand {
    /// Who is to be told, if the message says so.
    pub id: Option<String>,
    /// What is wrong with it.
    pub why: String,
}

/// Reads a message.
pub fn parse(message: &[u8]) -> Result<Command, NoCommand> {
    let nobody = |why| NoCommand { id: None, why };
    if message.len() > COMMAND_BYTES_MAX {
        let found = message.len();
        return Err(nobody(format!("a command has at most {COMMAND_BYTES_MAX} bytes, found {found}")));
    }
    let mut fields: Map<String, Value> =
        serde_json::from_slice(message).map_err(|error| nobody(format!("no JSON object: {error}")))?;
    let id = match fields.remove("id") {
        Some(Value::String(id)) if (1..=ID_CHARS_MAX).contains(&id.chars().count()) => id,
        _ => return Err(nobody(format!("`id` must be a text of 1 to {ID_CHARS_MAX} characters"))),
    };
    match asked(fields) {
        Ok((station, tag, value)) => Ok(Command { id, station, tag, value }),
        Err(why) => Err(NoCommand { id: Some(id), why }),
    }
}

fn asked(mut fields: Map<String, Value>) -> Result<(String, String, Value), String> {
    let mut text = |name| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(format!("`{name}` must be a text")),
    };
    let (station, tag) = (text("station")?, text("tag")?);
    let value = fields.remove("value").ok_or("`value` is missing")?;
    match fields.keys().next() {
        None => Ok((station, tag, value)),
        Some(unknown) => Err(format!("unknown key `{unknown}`; there are: id, station, tag, value")),
    }
}

#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The result of a command, as it is published.
pub fn result(channel: &str, id: &str, outcome: &Outcome) -> Cmd {
    told(channel, id, outcome.as_ref().err().map(ToString::to_string))
}

/// The result of a command that was not even tried.
pub fn refusal(channel: &str, id: &str, why: String) -> Cmd {
    told(channel, id, Some(why))
}

fn told(channel: &str, id: &str, error: Option<String>) -> Cmd {
    let told = Told { id, ok: error.is_none(), error };
    publish(channel, &serde_json::to_vec(&told).expect("texts written into memory"))
}

/// A message for a channel.
pub fn publish(channel: &str, body: &[u8]) -> Cmd {
    let mut publish = cmd("PUBLISH");
    publish.arg(channel).arg(body);
    publish
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::station::command::CommandError;

    #[test]
    fn a_command_is_an_object_of_four_fields() {
        let message = br#"{"id":"abc","station":"press","tag":"speed","value":5}"#;
        let command = Command {
            id: "abc".to_owned(),
            station: "press".to_owned(),
            tag: "speed".to_owned(),
            value: json!(5),
        };
        assert_eq!(parse(message), Ok(command));
    }

    #[test]
    fn what_is_no_command_is_answered_if_it_has_an_id() {
        let wrong = |message: &str| {
            let NoCommand { id, why } = parse(message.as_bytes()).unwrap_err();
            (id, why)
        };
        let asker = |why: &str| (Some("a".to_owned()), why.to_owned());
        assert_eq!(wrong(r#"{"id":"a","station":1}"#), asker("`station` must be a text"));
        assert_eq!(wrong(r#"{"id":"a","station":"s","tag":"t"}"#), asker("`value` is missing"));
        let unknown = r#"{"id":"a","station":"s","tag":"t","value":1,"force":true}"#;
        assert_eq!(wrong(unknown), asker("unknown key `force`; there are: id, station, tag, value"));
        assert_eq!(wrong("[]").0, None);
        assert_eq!(wrong(r#"{"id":7}"#), (None, "`id` must be a text of 1 to 64 characters".to_owned()));
        assert_eq!(wrong(&format!(r#"{{"id":"{}"}}"#, "x".repeat(65))).0, None);
        let long = format!(r#"{{"id":"a","x":"{}"}}"#, "x".repeat(COMMAND_BYTES_MAX));
        let expected = format!("a command has at most 1024 bytes, found {}", long.len());
        assert_eq!(wrong(&long), (None, expected));
    }

    #[test]
    fn a_result_names_the_command_and_what_became_of_it() {
        let packed = |cmd: Cmd| String::from_utf8(cmd.get_packed_command()).expect("UTF-8");
        let ok = "*3\r\n$7\r\nPUBLISH\r\n$10\r\ns7:results\r\n$20\r\n{\"id\":\"a\",\"ok\":true}\r\n";
        assert_eq!(packed(result("s7:results", "a", &Ok(()))), ok);
        let refused = packed(result("s7:results", "a", &Err(CommandError::Stopping)));
        let error = r#"{"id":"a","ok":false,"error":"the gateway is stopping: nothing was written"}"#;
        assert!(refused.contains(error), "{refused}");
    }
}
