//! Text to tree: the only place that knows the YAML parser.
//!
//! The language is a part of YAML: one document, maps with plain keys, lists and scalars. Anchors, aliases and tags are
//! refused, so that a file is as large as it looks; a duplicate key is an error, never a silent override.

use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span};

use super::tree::{At, Entry, Id, Ids, Key, Node, Scalar, Value};

/// The largest file that is read.
pub(super) const FILE_BYTES_MAX: usize = 256 * 1024;

/// The deepest nesting that is read; the language itself needs eight levels.
const NESTING_MAX: usize = 32;

/// Something that is not right with the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub bytes: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// What was read: the tree as far as there is one, and everything that is wrong with the text.
#[derive(Debug)]
pub(super) struct Read {
    pub root: Option<Node>,
    /// Values that could not be read and stand in the tree as nothing.
    pub unreadable: Vec<Id>,
    pub faults: Vec<Fault>,
}

/// What is said of a file that is not read.
pub(super) fn too_large() -> String {
    format!("the file has more than {FILE_BYTES_MAX} bytes: no more are read")
}

/// Reads the one document in `text`.
pub(super) fn read(text: &str, ids: &mut Ids) -> Read {
    if text.len() > FILE_BYTES_MAX {
        let fault = Fault { bytes: 0..0, message: too_large(), help: None };
        return Read { root: None, unreadable: vec![], faults: vec![fault] };
    }
    let parser = Parser::new_from_str_with_options(text, options());
    let mut reader = Reader { text, parser, ids, unreadable: vec![], faults: vec![] };
    let root = reader.document().unwrap_or_default();
    Read { root, unreadable: reader.unreadable, faults: reader.faults }
}

fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = NESTING_MAX;
    options.block_nesting_limit = NESTING_MAX;
    options
}

/// The text cannot be read any further; the reason is among the faults.
struct Stop;

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    ids: &'a mut Ids,
    unreadable: Vec<Id>,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            match self.event()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (_, bytes) if root.is_some() => {
                    self.fault(bytes, "a second document: a scenario file holds one", None);
                    return Ok(root);
                }
                (event, bytes) => root = Some(self.node(event, bytes)?),
            }
        }
    }

    /// The next event and its bytes. Bytes of a collection's start are those of its first sign.
    fn event(&mut self) -> Result<(Event<'a>, Range<usize>), Stop> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, self.bytes(span))),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let end = self.text.len();
        let start = span.start.byte_offset().unwrap_or(end).min(end);
        start..span.end.byte_offset().unwrap_or(start).clamp(start, end)
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let end = self.text.len();
        let start = error.marker().byte_offset().unwrap_or(end).min(end);
        let message = format!("not YAML: {}", error.info());
        let help = syntax_help(&message).map(str::to_owned);
        self.faults.push(Fault { bytes: start..start, message, help });
        Stop
    }

    fn fault(&mut self, bytes: Range<usize>, message: &str, help: Option<&str>) {
        self.faults.push(Fault { bytes, message: message.to_owned(), help: help.map(str::to_owned) });
    }

    fn node(&mut self, event: Event<'a>, bytes: Range<usize>) -> Result<Node, Stop> {
        self.refuse_extras(&event, &bytes);
        let id = self.ids.next();
        let value = match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                Value::Scalar(Scalar { text: text.into_owned(), plain, variable: None })
            }
            Event::SequenceStart(..) => return self.list(id, bytes),
            Event::MappingStart(..) => return self.map(id, bytes),
            _ => {
                self.unreadable.push(id);
                Value::Scalar(Scalar { text: String::new(), plain: true, variable: None })
            }
        };
        Ok(Node { id, at: At::File(bytes), value })
    }

    /// Anchors, aliases and tags say something that the language does not know.
    fn refuse_extras(&mut self, event: &Event<'a>, bytes: &Range<usize>) {
        let (anchor, tag) = match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => (true, false),
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => (*anchor != 0, tag.is_some()),
            _ => (false, false),
        };
        if anchor {
            let help = "write the value out, or name it in `matrix` and use `$name`";
            self.fault(bytes.clone(), "anchors and aliases are not part of the language", Some(help));
        }
        if tag {
            self.fault(
                bytes.clone(),
                "tags (`!name`) are not part of the language",
                Some("write the value without it"),
            );
        }
    }

    fn list(&mut self, id: Id, start: Range<usize>) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                (Event::SequenceEnd, end) => {
                    return Ok(Node { id, at: self.spanning(&start, &end), value: Value::List(items) });
                }
                (event, bytes) => items.push(self.node(event, bytes)?),
            }
        }
    }

    fn map(&mut self, id: Id, start: Range<usize>) -> Result<Node, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, bytes) = self.event()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Node { id, at: self.spanning(&start, &bytes), value: Value::Map(entries) });
            }
            let key = self.node(event, bytes)?;
            let (event, bytes) = self.event()?;
            let value = self.node(event, bytes)?;
            self.add(&mut entries, key, value);
        }
    }

    fn add(&mut self, entries: &mut Vec<Entry>, key: Node, value: Node) {
        let At::File(bytes) = &key.at else { return };
        let Value::Scalar(Scalar { text, .. }) = key.value else {
            return self.fault(bytes.clone(), "a key must be a word, not a list or a map", None);
        };
        if let Some(first) = entries.iter().find(|entry| entry.key.text == text) {
            let line = match &first.key.at {
                At::File(bytes) => self.text[..bytes.start].matches('\n').count() + 1,
                At::Override(_) => 0,
            };
            let message = format!("duplicate key `{text}`");
            let help = format!("it was first given on line {line}; keep one of them");
            return self.fault(bytes.clone(), &message, Some(&help));
        }
        entries.push(Entry { key: Key { id: key.id, at: key.at, text }, value });
    }

    /// From the first sign of a collection to its last, without the white space behind it.
    fn spanning(&self, start: &Range<usize>, end: &Range<usize>) -> At {
        let text = &self.text[start.start..end.end.max(start.start)];
        At::File(start.start..start.start + text.trim_end().len())
    }
}

/// What is usually behind the parser's words; they tell of the place at which it noticed.
fn syntax_help(message: &str) -> Option<&'static str> {
    const HELPS: [(&str, &str); 4] = [
        ("tab", "indent with spaces: YAML allows no tabs there"),
        ("mapping values are not allowed", "text with `: ` in it stands in quotes: `about: \"one: two\"`"),
        ("illegal placement of ':'", "is a bracket, a brace or a quotation mark above not closed?"),
        ("did not find expected", "is it indented as its neighbours are, and every bracket above closed?"),
    ];
    HELPS.iter().find(|(words, _)| message.contains(words)).map(|(_, help)| *help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_yaml_is_told_with_what_is_usually_behind_it() {
        let help = |text: &str| read(text, &mut Ids::default()).faults[0].help.clone().unwrap_or_default();
        assert!(help("a: one: two\n").contains("stands in quotes"));
        assert!(help("a: [x, y\nb:\n  c: 1\n").contains("not closed"));
        assert!(help("a:\n   b: 1\n  c: 1\n").contains("indented as its neighbours"));
        assert!(help("a:\n\tb: 1\n").contains("spaces"));
    }

    fn faults(text: &str) -> Vec<String> {
        read(text, &mut Ids::default()).faults.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn keys_and_values_know_their_bytes() {
        let read = read("a: 1\nb: { c: [x, y] }\n", &mut Ids::default());
        let root = read.root.unwrap();
        let c = root.entry("b").unwrap().value.entry("c").unwrap();
        assert_eq!(c.key.at, At::File(10..11));
        assert_eq!(c.value.at, At::File(13..19));
        assert_eq!(c.value.items()[1].at, At::File(17..18));
        assert_eq!(read.faults, []);
    }

    #[test]
    fn duplicate_keys_anchors_tags_and_second_documents_are_refused() {
        assert_eq!(faults("a: 1\na: 2\n"), ["duplicate key `a`"]);
        assert_eq!(faults("a: &x 1\nb: *x\n"), ["anchors and aliases are not part of the language"; 2]);
        assert_eq!(faults("a: !t 1\n"), ["tags (`!name`) are not part of the language"]);
        assert_eq!(faults("a: 1\n---\nb: 2\n"), ["a second document: a scenario file holds one"]);
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(faults(&"[".repeat(10_000)).len(), 1);
        assert_eq!(faults(&"- ".repeat(10_000)).len(), 1);
    }
}
