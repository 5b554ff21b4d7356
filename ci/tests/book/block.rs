//! The fenced blocks of a chapter: what stands in them, and what they are held against.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// A fenced block: ` ```LANGUAGE,FLAG,KEY=VALUE `.
///
/// | block | held against |
/// | --- | --- |
/// | `yaml,file=NAME` | written under that name; `watertight check` passes. With `wrong`, it must not |
/// | `yaml,shows=NAME` | what a command before it has written under that name, comments apart |
/// | `yaml,into=NAME` | its keys take the place of those of the chapter's file `NAME`; that must pass `check` |
/// | `yaml,pipeline` | it is YAML |
/// | `toml`, `json` | it is TOML, or JSON |
/// | `python,file=NAME` | written under that name |
/// | `rust` below `<!-- file: NAME -->` | written under that name, and compiled as any Rust: rustdoc knows no `file=` |
/// | `console` | `$ COMMAND` is run, its output compared: `…` is any lines, `[..]` any characters. With `measured` any number will do, a line's too: other code must be free to move |
/// | `rust` | compiled by a doctest; with `ignore` it must be an include |
/// | any, if it is nothing but `{{#include ..}}` | nothing here: the file is tested where it lies, and must be there |
/// | `sh,no_run` | nothing; `<!-- no_run: REASON -->` stands above it |
/// | `text` | nothing: a drawing, or what a test of this project said |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The language.
    pub language: String,
    /// What follows it.
    pub flags: Vec<String>,
    /// What stands in it.
    pub text: String,
    /// Its first line in the chapter, counted from 1.
    pub line: usize,
    /// The comment above it, if one stands there.
    pub comment: Option<String>,
}

impl Block {
    /// Whether `flag` stands behind the language.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|found| found == flag)
    }

    /// The value of `key=VALUE` behind the language.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.flags.iter().find_map(|flag| flag.strip_prefix(key)?.strip_prefix('='))
    }

    /// Whether it is nothing but what lies in another file of the project.
    pub fn is_include(&self) -> bool {
        let mut lines = self.text.lines().filter(|line| !line.trim().is_empty()).peekable();
        lines.peek().is_some() && lines.all(|line| line.starts_with("{{#") && line.contains("include "))
    }

    /// What the comment above says after `key:`.
    pub fn said_above(&self, key: &str) -> Option<&str> {
        let inner = self.comment.as_deref()?.trim().strip_prefix("<!-- ")?.strip_suffix("-->")?;
        let said = inner.strip_prefix(key)?.strip_prefix(':')?;
        Some(said.trim()).filter(|said| !said.is_empty())
    }
}

/// The blocks of a chapter, in order.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let mut comment = None;
    for (event, range) in Parser::new(markdown).into_offset_iter() {
        match (event, &mut open) {
            (Event::Start(Tag::CodeBlock(kind)), _) => {
                let line = markdown[..range.start].lines().count() + 1;
                open = Some(begun(&kind, line, comment.take()));
            }
            (Event::Text(text), Some(block)) => block.text.push_str(&text),
            (Event::End(TagEnd::CodeBlock), _) => found.extend(open.take()),
            (Event::Html(html), None) => comment = Some(html.into_string()),
            (Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock), None) => {}
            (_, None) => comment = None,
            (_, Some(_)) => {}
        }
    }
    found
}

fn begun(kind: &CodeBlockKind<'_>, line: usize, comment: Option<String>) -> Block {
    let info = match kind {
        CodeBlockKind::Fenced(info) => info.as_ref(),
        // Indented: of no language, which no chapter may have.
        CodeBlockKind::Indented => "",
    };
    let mut words = info.split(',').map(|word| word.trim().to_owned());
    let language = words.next().unwrap_or_default();
    Block { language, flags: words.collect(), text: String::new(), line, comment }
}
