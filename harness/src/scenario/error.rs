//! What is wrong with scenario files: every problem at once, each with its place and what to do.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

/// Everything that is wrong with the files of one command, in the order of files and lines. Never empty.
///
/// `Display` prints one line per problem, `file:line:column: message; help`, for pipes and CI annotations;
/// [`render`](Self::render) draws each with its line of the file.
#[derive(Debug, Clone, Default)]
pub struct ScenarioErrors {
    /// The problems.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// Where in the file; `None`: it concerns the file as a whole, or an override.
    pub place: Option<TextPlace>,
    /// The override on the command line that is wrong, as it was given: `--set cycles.count=x`.
    pub given: Option<String>,
    /// What is wrong: what was expected, what was found.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    source: Arc<NamedSource<Arc<str>>>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPlace {
    /// The bytes it covers.
    pub bytes: Range<usize>,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
}

/// How [`ScenarioErrors::render`] draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As the terminal can: `NO_COLOR` and pipes are respected.
    Detect,
    /// Without colours and without characters beyond ASCII.
    Ascii,
    /// Without colours.
    Plain,
}

/// Columns that a drawn problem takes at most.
const WIDTH: usize = 100;

/// A file's text with its name, shared by all its problems.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub file: PathBuf,
    pub text: Arc<str>,
    source: Arc<NamedSource<Arc<str>>>,
}

impl Text {
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let text: Arc<str> = text.into();
        let source = Arc::new(NamedSource::new(file.display().to_string(), Arc::clone(&text)));
        Self { file: file.to_owned(), text, source }
    }

    /// A problem with the file as a whole.
    pub(super) fn problem(&self, message: String, help: Option<String>) -> Problem {
        let source = Arc::clone(&self.source);
        Problem { file: self.file.clone(), place: None, given: None, message, help, source }
    }

    /// A problem at these bytes.
    pub(super) fn problem_at(&self, bytes: &Range<usize>, message: String, help: Option<String>) -> Problem {
        Problem { place: Some(self.place(bytes)), ..self.problem(message, help) }
    }

    /// A problem with an override.
    pub(super) fn problem_given(&self, given: &str, message: String, help: Option<String>) -> Problem {
        Problem { given: Some(given.to_owned()), ..self.problem(message, help) }
    }

    fn place(&self, bytes: &Range<usize>) -> TextPlace {
        let start = floor_char(&self.text, bytes.start);
        let end = floor_char(&self.text, bytes.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[..start].matches('\n').count() + 1;
        let column = self.text[line_start..start].chars().count() + 1;
        TextPlace { bytes: start..end, line, column }
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

impl ScenarioErrors {
    /// Sorts by file and place and drops what is said twice (a problem shows in every case of a matrix).
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        let start = |place: &TextPlace| place.bytes.start;
        let key = |problem: &Problem| {
            (
                problem.file.clone(),
                problem.place.as_ref().map(start),
                problem.given.clone(),
                problem.message.clone(),
            )
        };
        problems.sort_by_key(key);
        problems.dedup_by_key(|problem| key(problem));
        Self { problems }
    }

    /// Draws each problem with its line of the file and a caret.
    pub fn render(&self, look: Look) -> String {
        let theme = match look {
            Look::Detect => GraphicalTheme::default(),
            Look::Ascii => GraphicalTheme { styles: miette::ThemeStyles::none(), ..GraphicalTheme::ascii() },
            Look::Plain => GraphicalTheme::unicode_nocolor(),
        };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
        let mut drawn = String::new();
        for problem in &self.problems {
            // Writing to a string cannot fail, and a snippet that cannot be drawn must not hide the problem.
            if handler.render_report(&mut drawn, problem).is_err() {
                drawn.push_str(&format!("{problem}\n"));
            }
        }
        drawn
    }
}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            let line_end = if number == 0 { "" } else { "\n" };
            write!(f, "{line_end}{}", problem.one_line())?;
        }
        Ok(())
    }
}

impl std::error::Error for ScenarioErrors {}

impl Problem {
    /// `file:line:column: message; help`.
    pub fn one_line(&self) -> String {
        let mut line = self.file.display().to_string();
        if let Some(place) = &self.place {
            line.push_str(&format!(":{}:{}", place.line, place.column));
        }
        line.push_str(&format!(": {self}"));
        if let Some(help) = &self.help {
            line.push_str(&format!("; {help}"));
        }
        line
    }
}

/// The message, with the override that it is about; without file and place, which a drawing shows by itself.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => write!(f, "{given}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let file = || format!("in {}", self.file.display());
        match (&self.help, &self.place) {
            (Some(help), Some(_)) => Some(Box::new(help)),
            (Some(help), None) => Some(Box::new(format!("{}; {help}", file()))),
            (None, Some(_)) => None,
            (None, None) => Some(Box::new(file())),
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.is_some().then_some(&*self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        // One line is enough to find a map or a list by; a caret under nothing would not be seen.
        let text = self.source.inner();
        let covered = &text[place.bytes.clone()];
        let first_line = covered.lines().next().map_or(0, |line| line.trim_end().len());
        let label = LabeledSpan::new(None, place.bytes.start, first_line);
        Some(Box::new(std::iter::once(label)))
    }
}
