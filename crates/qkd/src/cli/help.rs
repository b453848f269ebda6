//! The first help that people see: what can be done, sorted by who wants to.

use std::fmt::Write as _;

use clap::CommandFactory;

use super::Cli;

/// Commands by who wants them. One that is missing here is listed all the same, at the end.
const GROUPS: &[(&str, &[&str])] = &[
    ("See it work", &["lab", "attack", "plan", "bench"]),
    ("Run a service", &["alice", "bob", "eve"]),
    ("For applications", &["key", "send", "receive"]),
    ("For operators", &["status", "store", "audit", "pki"]),
    ("About this program", &["completions", "man", "help"]),
];

const OTHERS: &str = "More";

/// The command line with its commands in groups.
pub fn command() -> clap::Command {
    let mut command = Cli::command();
    // The names and sentences of `help` exist once it is built.
    command.build();
    let groups = groups(&command);
    Cli::command().help_template(format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}\
         Options:\n{{options}}{{after-help}}"
    ))
}

fn groups(command: &clap::Command) -> String {
    let all: Vec<(&str, String)> = command
        .get_subcommands()
        .filter(|one| !one.is_hide_set())
        .map(|one| {
            let about = one.get_about().map(ToString::to_string);
            (one.get_name(), about.unwrap_or_default())
        })
        .collect();
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let grouped = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let others = all
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !grouped(name));
    let others: Vec<&str> = others.collect();
    let mut text = String::new();
    let groups = GROUPS.iter().map(|(title, names)| (*title, *names));
    for (title, names) in groups.chain([(OTHERS, others.as_slice())]) {
        let members = names
            .iter()
            .filter_map(|name| all.iter().find(|one| one.0 == *name));
        let mut members = members.peekable();
        if members.peek().is_none() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title}:");
        for (name, about) in members {
            let _ = writeln!(text, "  {name:<width$}  {about}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_one_group_of_the_help() {
        let help = command().render_help().to_string();
        assert!(!help.contains(OTHERS), "{help}");
        for subcommand in Cli::command().get_subcommands() {
            let entry = format!("\n  {} ", subcommand.get_name());
            assert_eq!(help.matches(&entry).count(), 1, "{entry:?} in {help}");
        }
        assert!(help.contains("\n  help"), "{help}");
        assert!(!help.contains('{'), "{help}");
    }

    #[test]
    fn a_command_without_a_group_is_listed_all_the_same() {
        let command = clap::Command::new("qkd").subcommand(clap::Command::new("new").about("News"));
        assert_eq!(groups(&command), "More:\n  new  News\n\n");
    }
}
