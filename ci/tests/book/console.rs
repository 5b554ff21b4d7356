//! Commands and what they said: run again, and compared.

use regex::{Captures, Regex};
use snapbox::Assert;
use snapbox::assert::Action;

use crate::PROGRAMS;
use crate::block::Block;
use crate::scratch::{Said, Scratch};

/// A command of a block, and what is shown of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    command: String,
    output: String,
}

/// Runs every command of the block, and holds what it says against what is shown.
pub fn held(block: &Block, scratch: &Scratch) -> Result<(), String> {
    let mut last: Option<Said> = None;
    let shown = shown(&block.text)?;
    for (index, Shown { command, output }) in shown.iter().enumerate() {
        if command == "echo $?" {
            let code = last.as_ref().map(|said| format!("{}\n", said.code));
            same(output, &code.ok_or("no command stands before `echo $?`")?, false)?;
            continue;
        }
        let said = run(command, scratch)?;
        same(output, &said.text, block.is("measured")).map_err(|wrong| format!("$ {command}\n{wrong}"))?;
        let is_asked = shown.get(index + 1).is_some_and(|next| next.command == "echo $?");
        if !is_asked && said.code != promised(output) {
            return Err(format!("`{command}` ended with {}, shown is {}", said.code, promised(output)));
        }
        last = Some(said);
    }
    Ok(())
}

fn run(command: &str, scratch: &Scratch) -> Result<Said, String> {
    let words = shlex::split(command).ok_or_else(|| format!("`{command}` has an open quote"))?;
    match words.split_first() {
        Some((program, args)) if PROGRAMS.contains(&program.as_str()) => scratch.run(program, args),
        _ => {
            let known = PROGRAMS.join("`, `");
            Err(format!("only `{known}` are run, not `{command}`: `sh,no_run` with the reason is for others"))
        }
    }
}

/// Whether a command of the block starts `program`.
pub fn starts(block: &Block, program: &str) -> bool {
    let commands = block.text.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.filter_map(|command| command.split(' ').next()).any(|started| started == program)
}

/// Holds what stands in a file against what is shown of it.
pub fn is_shown(shown: &str, file: &str) -> Result<(), String> {
    same(shown, file, false)
}

/// The commands of a block, each with the lines below it.
fn shown(text: &str) -> Result<Vec<Shown>, String> {
    let mut found: Vec<Shown> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push(Shown { command: command.to_owned(), output: String::new() }),
            (None, Some(last)) => last.output.push_str(&format!("{line}\n")),
            (None, None) => return Err(format!("`{line}` stands before any `$ command`")),
        }
    }
    Ok(found)
}

/// The exit code that the output tells of, `(exit N)`; 0 where it tells of none.
fn promised(output: &str) -> i32 {
    let told = output.rsplit_once("(exit ").and_then(|(_, rest)| rest.split(')').next());
    told.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Whether `said` is what is shown: any lines where a line is `…`, any characters where `[..]` stands.
fn same(shown: &str, said: &str, is_measured: bool) -> Result<(), String> {
    let elided = |line: &str| if line == "…" { "...\n".to_owned() } else { format!("{line}\n") };
    let shown: String = levelled(shown, is_measured).lines().map(elided).collect();
    let result =
        Assert::new().action(Action::Verify).try_eq(None, levelled(said, is_measured).into(), shown.into());
    result.map_err(|difference| difference.to_string())
}

/// Text without what differs from run to run: how long something took, how wide its column is, and, where it is measured,
/// every number. Memory by pages is the machine's.
fn levelled(text: &str, is_measured: bool) -> String {
    let time = Regex::new(r"\b\d+(\.\d+)? (ms|s|min|h)\b( \d+ (s|min)\b)?").expect("it is a pattern");
    let number = Regex::new(r"\d[\d,.]*").expect("it is a pattern");
    let gap = Regex::new(r"(\S) {2,}").expect("it is a pattern");
    let is_pages = |line: &str| line.trim_start().starts_with("rss ") || line.contains(": rss: ");
    let lines = text.lines().filter(|line| !is_pages(line));
    let kept: String = lines.map(|line| format!("{}\n", line.trim_end())).collect();
    let kept = time.replace_all(&kept, "TIME");
    let kept = if is_measured { number.replace_all(&kept, "N") } else { kept };
    gap.replace_all(&kept, |found: &Captures<'_>| format!("{} ", &found[1])).into_owned()
}

/// That the comparison above sees a difference, and puts up with what may differ.
pub fn controls() -> Result<(), String> {
    let run = "LEAK  sim::x\n  at      a.rs:26\n  id      tasks/a\n1 failed in 528 ms (exit 1)\n";
    let alike = [
        ("LEAK  sim::x\n…\n1 failed in 1.2 s (exit 1)\n", false),
        ("LEAK sim::x\n  at  a.rs:[..]\n  id  tasks/a\n1 failed in 3 min 2 s (exit 1)\n", false),
        ("LEAK  sim::x\n  at      a.rs:30\n  id      tasks/a\n1 failed in 1.2 s (exit 1)\n", true),
    ];
    let others = [
        ("LEAK  sim::x\n  at      a.rs:30\n  id      tasks/a\n1 failed in 528 ms (exit 1)\n", false),
        ("LEAK  sim::x\n  at      b.rs:26\n  id      tasks/a\n1 failed in 528 ms (exit 1)\n", true),
        ("LEAK  sim::x\n1 failed in 528 ms (exit 1)\n", true),
        ("", true),
    ];
    let blind = others.iter().find(|(shown, is_measured)| same(shown, run, *is_measured).is_ok());
    let strict = alike.iter().find_map(|(shown, is_measured)| same(shown, run, *is_measured).err());
    match (blind, strict) {
        (Some((shown, _)), _) => Err(format!("passes for the output, and is not: {shown}")),
        (_, Some(difference)) => Err(difference),
        (None, None) => Ok(()),
    }
}
