//! `qkd man`: manual pages, made from the same definition that the command line is parsed by.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;

use crate::cli;
use crate::exit::Exit;
use crate::output::{print, tell};

const EXAMPLES: &str = "\
Examples:
  qkd man | man -l -                            read the page of qkd
  qkd man --output ~/.local/share/man/man1      install all pages for yourself

Exit status: 0 success, 1 a fault (its cause is printed), 64 wrong usage.";

/// The options of `qkd man`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// Write one page for each command into this folder (made when absent), and print their names
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// A manual page.
struct Page {
    /// Its file, such as `qkd-key-get.1`.
    name: String,
    /// Its text, roff.
    text: String,
}

/// Prints or writes the pages, and says how that ended.
pub fn run(args: &ManArgs) -> Exit {
    let done = match &args.output {
        None => page(root()).and_then(|page| {
            show(&page.text).map_err(|error| format!("cannot print the page: {error}"))
        }),
        Some(folder) => write_all(folder),
    };
    match done {
        Ok(()) => Exit::Success,
        Err(reason) => {
            tell(&format!("qkd man: {reason}"));
            Exit::Fault
        }
    }
}

fn write_all(folder: &Path) -> Result<(), String> {
    let failed =
        |path: &Path, error: io::Error| format!("cannot write {}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut names = String::new();
    for page in pages()? {
        let path = folder.join(&page.name);
        fs::write(&path, &page.text).map_err(|error| failed(&path, error))?;
        names.push_str(&format!("{}\n", path.display()));
    }
    show(&names).map_err(|error| format!("cannot print the names of the pages: {error}"))
}

/// Who has closed the pipe has seen enough.
fn show(text: &str) -> io::Result<()> {
    match print(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// The page of every command, those of their commands included.
fn pages() -> Result<Vec<Page>, String> {
    let mut pages = Vec::new();
    let mut commands = vec![root()];
    while let Some(command) = commands.pop() {
        let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
        commands.extend(shown.cloned());
        pages.push(page(command)?);
    }
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(pages)
}

/// The whole command line, but for "help": it explains itself.
fn root() -> clap::Command {
    let mut root = cli::command().disable_help_subcommand(true);
    root.build();
    root
}

fn page(command: clap::Command) -> Result<Page, String> {
    let man = Man::new(command)
        .source(format!("qkd {}", env!("CARGO_PKG_VERSION")))
        .manual("Quantum key distribution");
    let name = man.get_filename();
    let mut text = Vec::new();
    man.render(&mut text)
        .map_err(|error| format!("cannot make the page {name}: {error}"))?;
    let text = with_notes(&String::from_utf8_lossy(&text));
    Ok(Page { name, text })
}

/// Renames the section of all that stands below the options, and keeps the lines of its tables as
/// they are: a page is filled, so that they would run together.
fn with_notes(page: &str) -> String {
    let mut text = String::with_capacity(page.len() + 256);
    let (mut notes, mut table) = (false, false);
    for line in page.lines() {
        if line.starts_with(".SH") {
            notes = line == ".SH EXTRA";
        }
        let indented = notes && line.starts_with(' ');
        if indented != table {
            text.push_str(if indented { ".nf\n" } else { ".fi\n" });
            table = indented;
        }
        text.push_str(if line == ".SH EXTRA" {
            ".SH NOTES"
        } else {
            line
        });
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_it() {
        let pages = pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        for command in cli::command().get_subcommands() {
            let name = format!("qkd-{}.1", command.get_name());
            assert!(names.contains(&name.as_str()), "{name} in {names:?}");
        }
        for name in [
            "qkd.1",
            "qkd-key-get.1",
            "qkd-key-fetch.1",
            "qkd-key-watch.1",
        ] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        for page in &pages {
            assert!(page.text.contains(".SH NAME"), "{}", page.name);
        }
    }

    #[test]
    fn the_lines_of_a_table_stay_lines() {
        let page = ".SH OPTIONS\n x\n.SH EXTRA\nExamples:\n  one\n  two\n\nThe end.\n.SH VERSION\n";
        let expected = ".SH OPTIONS\n x\n.SH NOTES\nExamples:\n.nf\n  one\n  two\n.fi\n\nThe end.\n.SH VERSION\n";
        assert_eq!(with_notes(page), expected);
    }
}
