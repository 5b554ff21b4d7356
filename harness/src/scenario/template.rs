//! Names in braces, for which a run puts in what only it knows: ports, addresses, its folder.
//!
//! `{port}` is such a name; `{{port}}` is the text `{port}`. Braces around anything that is no name, as in JSON, stay as they are.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// A name, without its braces.
    Name(&'a str),
}

/// The names in `text`, in order.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// `text` with the value of each name.
///
/// # Errors
/// The first name that has no value.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Name(name) => filled.push_str(&value(name).ok_or(name)?),
        }
    }
    Ok(filled)
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find('{') {
        let (before, from_brace) = rest.split_at(open);
        pieces.push(Piece::Text(before));
        let (piece, length) = if let Some(name) = name_in(&from_brace[1..], "{", "}}") {
            // One brace less on either side.
            (Piece::Text(&from_brace[1..name.len() + 3]), name.len() + 4)
        } else if let Some(name) = name_in(from_brace, "{", "}") {
            (Piece::Name(name), name.len() + 2)
        } else {
            (Piece::Text("{"), 1)
        };
        pieces.push(piece);
        rest = &from_brace[length..];
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// The name that `text` begins with, between `open` and `close`.
fn name_in<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let inner = text.strip_prefix(open)?;
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let end = inner.find(|c| !is_inside(c))?;
    let name = &inner[..end];
    (inner[end..].starts_with(close) && name.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, &str> {
        fill(text, |name| (name == "port" || name == "peers.db").then(|| format!("<{name}>")))
    }

    #[test]
    fn names_are_put_in_and_everything_else_stays() {
        for (text, expected) in [
            ("127.0.0.1:{port}", "127.0.0.1:<port>"),
            ("{port}{peers.db}", "<port><peers.db>"),
            ("{{port}}", "{port}"),
            (r#"{"a": {"b": 1}}"#, r#"{"a": {"b": 1}}"#),
            ("{} { port } {1} {", "{} { port } {1} {"),
            ("größe {port} ü", "größe <port> ü"),
            ("", ""),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_name_without_a_value_is_told() {
        assert_eq!(filled("{port} {prot}"), Err("prot"));
        assert_eq!(names("{a} {{b}} {c.d}").collect::<Vec<_>>(), ["a", "c.d"]);
    }
}
