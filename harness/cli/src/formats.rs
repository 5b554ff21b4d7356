//! The formats of a report, as flags that several commands share; and how a report is told.

use std::path::PathBuf;

use clap::ValueEnum;
use watertight::exit::Exit;
use watertight::report::terminal::{self, Look};
use watertight::report::{RunReport, github};
use watertight::runner::{Format, Outputs};

use crate::run::fail;
use crate::{foreseen, screen};

/// Where a report goes beside the screen, and how.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Reports")]
pub struct Formats {
    /// Write every format (report.json, .html, .md, .sarif, .txt, junit.xml) and a timeline of each case into this folder
    #[arg(long, visible_alias = "out", value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Write the whole report as JSON; `-`, here and below, is standard output, the table then goes to standard error
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a page with curves and evidence that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write Markdown, for the comment under a merge request or a bug report
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write SARIF 2.1.0, for code scanning
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Write JUnit XML, for pipelines that show tests
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print annotations of GitHub and add to the job's summary; `auto`: where GITHUB_ACTIONS is `true`
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "auto", default_missing_value = "always")]
    github: When,
    /// Show whole call stacks, not only the frames of your own code (the JSON report always has them)
    #[arg(long)]
    stacks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// In a job of GitHub Actions
    Auto,
    /// Here, too
    Always,
    /// Not even there
    Never,
}

impl Formats {
    /// What is to be written.
    pub fn outputs(&self) -> Outputs {
        let asked = [
            (Format::Json, &self.json),
            (Format::Html, &self.html),
            (Format::Markdown, &self.markdown),
            (Format::Sarif, &self.sarif),
            (Format::Junit, &self.junit),
        ];
        let files = asked.into_iter().filter_map(|(format, path)| Some((format, path.clone()?))).collect();
        let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
        let summary = summary.filter(|_| self.is_for_github()).map(PathBuf::from);
        Outputs { files, folder: self.report.clone(), summary }
    }

    /// Shows the verdicts first, then writes the files: a full disk must not hide what was found.
    pub fn tell(&self, report: &RunReport) -> Exit {
        let report = &*foreseen::noted(report);
        let outputs = self.outputs();
        let look = Look { width: screen::width(), color: true, stacks: self.stacks };
        let mut text = terminal::text(report, look);
        if self.is_for_github() {
            text += &github::annotations(report);
        }
        let mut exit = report.exit;
        if outputs.takes_stdout() {
            screen::err(&text);
        } else {
            exit = exit.worse(screen::out(&text));
        }
        for error in outputs.write(report) {
            exit = exit.worse(fail(Exit::Harness, &error));
        }
        exit
    }

    fn is_for_github(&self) -> bool {
        match self.github {
            When::Always => true,
            When::Never => false,
            When::Auto => std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true"),
        }
    }
}
